#pragma once
#include <cstdint>

#include "core/pool.h"
#include "linear/linear-tile.h"

// Many rows of x against all rows of the weight: both are laid out as the tiles read them, x once, a panel of the weight
// (widened) whenever a block of x meets it. The order of summation is that of linear-tile.h.
namespace trimkv::TRIMKV_ISA {
namespace {

// R + 1 vectors stand beside R · C accumulators: 29 of 32 with AVX-512, 16 of 16 elsewhere.
constexpr int kSweepTileRows = kWidth == 16 ? 4 : 3;
constexpr int kSweepPanel = kWidth == 16 ? 6 : 4;
constexpr int64_t kSweepTiles = kWidth == 16 ? 32 : 40;  // so many tiles of x stay in the second-level cache
constexpr int64_t kSweepRows = kSweepTiles * kSweepTileRows;
constexpr int64_t kSweepColumns = 48;               // columns of one chunk
constexpr int64_t kSweepPackedRows = 4 * kSweepRows;  // rows of x laid out at once
constexpr uintptr_t kSweepAhead = 1024;             // bytes of x fetched early, from the second-level cache
constexpr int64_t kLine = 64;                       // bytes of a cache line

inline int64_t sweep_steps(int64_t count) { return (count + kWidth - 1) / kWidth; }
// Elements of a row once it is laid out, up to `depth`: every block ends with a whole vector.
inline int64_t sweep_depth(int64_t depth) { return depth / kBlock * kBlock + sweep_steps(depth % kBlock) * kWidth; }

// `rows` rows of one block, `stride` apart: the vectors of a step side by side, `lanes` of them, zeros in the last one.
template <typename T>
inline void lay_out(const T* from, int64_t stride, int64_t rows, int64_t count, float* to, int64_t lanes) {
  for (int64_t r = 0; r < rows; r++, from += stride, to += kWidth) {
    each_vec(count, [&](int64_t k, int64_t some) { store(to + k * lanes, load_some(from + k, some)); });
  }
}

// A tile: R rows of x and kSweepPanel rows of the weight, laid out, over one block.
struct SweepTile {
  const float* x;
  const float* panel;
  int64_t steps;
  float* to;  // out[row, column]
  int64_t stride, width;
  bool add;  // to the blocks before
};

template <int R>
[[gnu::noinline]] void sweep_tile(const SweepTile& t) {
  constexpr int C = kSweepPanel;
  Vec acc[C][R] = {};
  const float *x = t.x, *panel = t.panel;
  for (int64_t s = 0; s < t.steps; s++, x += R * kWidth, panel += C * kWidth) {
    Vec row[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) row[r] = load(x + r * kWidth);
#pragma GCC unroll 8
    for (int i = 0; i < R * kWidth * 4; i += kLine) {
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(x) + kSweepAhead + static_cast<uintptr_t>(i)));
    }
#pragma GCC unroll 8
    for (int j = 0; j < C; j++) {
      const Vec column = load(panel + j * kWidth);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) acc[j][r] = fma(row[r], column, acc[j][r]);
    }
  }
  float sums[C][4];
#pragma GCC unroll 8
  for (int j = 0; j < C; j++) {
    const Vec4 four = sum4(acc[j][0], acc[j][R > 1 ? 1 : 0], acc[j][R > 2 ? 2 : 0], acc[j][R > 3 ? 3 : 0]);
    __builtin_memcpy(sums[j], &four, sizeof(four));
  }
  const auto put = [&](int64_t width) __attribute__((always_inline)) {
    float* to = t.to;
    for (int r = 0; r < R; r++, to += t.stride) {
      for (int64_t j = 0; j < width; j++) to[j] = t.add ? to[j] + sums[j][r] : sums[j][r];
    }
  };
  if (t.width == C) {
    put(C);
  } else {
    put(t.width);
  }
}

template <int R = kSweepTileRows>
inline void sweep_rows(int64_t rows, const SweepTile& t) {
  if constexpr (R > 1) {
    if (rows < R) return sweep_rows<R - 1>(rows, t);
  }
  sweep_tile<R>(t);
}

// x · weightᵀ without bias and residual.
template <typename T>
struct Sweep {
  const float* x;  // [rows, depth]
  int64_t x_stride, rows;
  const T* weight;  // [columns, depth]
  int64_t columns, depth;
  float* out;     // [rows, columns]
  float* packed;  // workspace: [blocks of K][tiles of rows][steps][rows of the tile][kWidth]

  // Rows of x laid out together: blocks of K follow each other, in each of them tiles.
  struct Rows {
    int64_t first, count;
  };

  float* packed_tile(const Rows& r, int64_t row, int64_t first) const {
    return packed + r.count * first + row * sweep_steps(least_of(depth - first, kBlock)) * kWidth;
  }

  void pack_tile(const Rows& r, int64_t tile) const {
    const int64_t row = tile * kSweepTileRows, height = least_of(kSweepTileRows, r.count - row);
    const float* from = x + (r.first + row) * x_stride;
    for (int64_t first = 0; first < depth; first += kBlock) {
      float* to = packed_tile(r, row, first);
      lay_out(from + first, x_stride, height, least_of(depth - first, kBlock), to, height);
    }
  }

  // A part of the output, its rows counted from the first of `r`.
  void part(const Rows& r, const Part& p) const {
    alignas(64) float panel[kSweepPanel * kBlock];
    int64_t first = 0;
    do {
      const int64_t count = least_of(depth - first, kBlock);
      for (int64_t column = p.column; column < p.column_end; column += kSweepPanel) {
        const int64_t width = least_of(kSweepPanel, p.column_end - column);
        lay_out(weight + column * depth + first, depth, width, count, panel, kSweepPanel);
        Fetch fetch = fetch_after(p, column, first);
        for (int64_t row = p.row; row < p.row_end; row += kSweepTileRows) {
          fetch.some();
          float* to = out + (r.first + row) * columns + column;
          sweep_rows(p.row_end - row,
                     {packed_tile(r, row, first), panel, sweep_steps(count), to, columns, width, first > 0});
        }
      }
      first += kBlock;
    } while (first < depth);
  }

  // Calls finish(part) where a part of the output has its sums.
  template <typename F>
  void run(Pool& pool, const F& finish) const {
    for (Rows r{0, 0}; r.first < rows; r.first += r.count) {
      r.count = least_of(kSweepPackedRows, rows - r.first);
      const int64_t tiles = (r.count + kSweepTileRows - 1) / kSweepTileRows;
      auto pack = [&](int64_t tile) { pack_tile(r, tile); };
      parallel_for(pool, tiles, pack);
      const int64_t row_blocks = (tiles + kSweepTiles - 1) / kSweepTiles;
      const int64_t row_step = (tiles + row_blocks - 1) / row_blocks * kSweepTileRows;
      const int64_t column_blocks = (columns + kSweepColumns - 1) / kSweepColumns;
      // Columns vary fastest, so that a block of x stays in cache while the weights pass by.
      auto one = [&](int64_t index) {
        const int64_t row = index / column_blocks * row_step, column = index % column_blocks * kSweepColumns;
        if (row >= r.count) return;
        const Part p{row, least_of(row + row_step, r.count), column, least_of(column + kSweepColumns, columns)};
        part(r, p);
        finish(Part{r.first + p.row, r.first + p.row_end, p.column, p.column_end});
      };
      parallel_for(pool, row_blocks * column_blocks, one);
    }
  }

 private:
  static int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

  // Rows of the weight that the next panel lays out, brought into cache an equal part per tile.
  struct Fetch {
    const T* from;
    int64_t stride, bytes, rows, each;
    int64_t at = 0;

    void some() {
      for (int64_t i = 0; i < each && at < rows * bytes; i++, at += kLine) {
        const char* line = reinterpret_cast<const char*>(from + at / bytes * stride) + at % bytes;
        __builtin_prefetch(line, 0, 2);
      }
    }
  };

  // The panel after the one at `column`: the next columns, or the first ones over the next block.
  Fetch fetch_after(const Part& p, int64_t column, int64_t first) const {
    const bool wraps = column + kSweepPanel >= p.column_end;
    const int64_t next = wraps ? p.column : column + kSweepPanel, from = wraps ? first + kBlock : first;
    if (from >= depth) return {weight, 0, 1, 0, 0};
    const int64_t bytes = (least_of(depth - from, kBlock) * int64_t{sizeof(T)} + kLine - 1) / kLine * kLine;
    const int64_t width = least_of(kSweepPanel, p.column_end - next);
    const int64_t tiles = (p.row_end - p.row + kSweepTileRows - 1) / kSweepTileRows;
    return {weight + next * depth + from, depth, bytes, width, (width * bytes / kLine + tiles - 1) / tiles};
  }
};

// Bytes of workspace for `rows` rows.
inline int64_t sweep_workspace(int64_t rows, int64_t depth) {
  return 4 * (rows < kSweepPackedRows ? rows : kSweepPackedRows) * sweep_depth(depth);
}

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
