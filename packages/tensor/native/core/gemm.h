#pragma once
#include <cstdint>

#include "core/pool.h"
#include "core/simd.h"

// c[m, n] = Σ_d a[m, d] · b[d, n] for large c: tiles of c in registers, over panels of b that were packed before.
//
// The depth is cut into blocks of kGemmDepth. Inside a block every element of c is one chain of multiply-adds in the
// order of d; the blocks are added in order. So bits depend on the depth alone, not on tiles, chunks or threads.
// A slab is as many blocks as are packed at once: the threads pack it together, then multiply from it together.
namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kGemmDepth = 256;
constexpr int kGemmRows = kWidth == 16 ? 12 : 6;  // with two vectors of columns each: 24 of 32 registers, 12 of 16
constexpr int kGemmColumns = 2 * kWidth;
constexpr int64_t kGemmStrip = kGemmDepth * kGemmRows;     // floats of a packed block of a, kGemmRows high
constexpr int64_t kGemmPanel = kGemmDepth * kGemmColumns;  // floats of a packed block of b, kGemmColumns wide
constexpr int64_t kGemmSlab = int64_t{1} << 20;            // floats of a slab, unless one block takes more
constexpr int64_t kGemmPackDepth = 32;                     // packed by one thread at a time

static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// How a tile reads a: kAlong, a row's depth is contiguous and rows lie `step` apart; kAcross, packed by pack_strips.
enum class GemmLayout { kAlong, kAcross };

// Up to kGemmRows rows of a against one panel, over one block, into `width` columns of c; `add`: to what c holds.
struct GemmTile {
  const float* a;
  int64_t step;
  const float* panel;
  int64_t count;
  float* c;
  int64_t c_stride, width;
  bool add;
  // What is brought into cache meanwhile for a later tile, `ahead_step` bytes further on at each step of the depth.
  uintptr_t ahead;
  int64_t ahead_step;
};

template <GemmLayout kLayout, int R, int V>
[[gnu::noinline]] void gemm_tile(const GemmTile& t) {
  Vec acc[R][V] = {};
  const float* b = t.panel;
  const int64_t count = t.count;
  uintptr_t ahead = t.ahead;
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
    __builtin_prefetch(t.c + r * t.c_stride, 1);
    if constexpr (V == 2 && kWidth == 16) __builtin_prefetch(t.c + r * t.c_stride + kWidth, 1);
  }
  const auto add = [&](auto element) __attribute__((always_inline)) {
    Vec column[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; v++) column[v] = load(b + v * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      const Vec x = broadcast(element(r));
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) acc[r][v] = fma(x, column[v], acc[r][v]);
    }
    b += kGemmColumns;
    __builtin_prefetch(reinterpret_cast<const void*>(ahead));
    ahead += static_cast<uintptr_t>(t.ahead_step);
  };
  if constexpr (kLayout == GemmLayout::kAcross) {
    const float* a = t.a;
    for (int64_t d = 0; d < count; d++, a += kGemmRows) {
      add([&](int r) __attribute__((always_inline)) { return a[r]; });
    }
  } else {
    // Three rows to a pointer, or the addresses would not fit the registers; hidden, or they are taken apart again.
    const float* base[(R + 2) / 3];
#pragma GCC unroll 4
    for (int i = 0; i < (R + 2) / 3; i++) base[i] = t.a + 3 * i * t.step;
    int64_t second = t.step * 4, third = t.step * 8;
    __asm__("" : "+r"(second), "+r"(third));
    for (int64_t d = 0; d < count; d++) {
      add([&](int r) __attribute__((always_inline)) {
        const char* from = reinterpret_cast<const char*>(base[r / 3]);
        return *reinterpret_cast<const float*>(r % 3 == 0 ? from : r % 3 == 1 ? from + second : from + third);
      });
#pragma GCC unroll 4
      for (int i = 0; i < (R + 2) / 3; i++) {
        base[i]++;
        __asm__("" : "+r"(base[i]));
      }
    }
  }
  constexpr int64_t kFull = V * kWidth;
  const auto put = [&](float* to, int64_t stride, bool add_old) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++, to += stride) {
#pragma GCC unroll 2
      for (int v = 0; v < V; v++) {
        float* at = to + v * kWidth;
        store(at, add_old ? load(at) + acc[r][v] : acc[r][v]);
      }
    }
  };
  if (t.width == kFull) {
    if (t.add) {
      put(t.c, t.c_stride, true);
    } else {
      put(t.c, t.c_stride, false);
    }
    return;
  }
  float sums[R * kFull];
  put(sums, kFull, false);
  for (int r = 0; r < R; r++) {
    float* to = t.c + r * t.c_stride;
    for (int64_t i = 0; i < t.width; i++) to[i] = t.add ? to[i] + sums[r * kFull + i] : sums[r * kFull + i];
  }
}

template <GemmLayout kLayout, int R = kGemmRows>
void gemm_rows(int64_t rows, const GemmTile& t) {
  if constexpr (R > 1) {
    if (rows < R) return gemm_rows<kLayout, R - 1>(rows, t);
  }
  if (t.width > kWidth) {
    gemm_tile<kLayout, R, 2>(t);
  } else {
    gemm_tile<kLayout, R, 1>(t);
  }
}

// Sizes of one multiplication.
struct Gemm {
  int64_t rows, columns, depth;
  float* c;             // [rows, columns]
  const float* panels;  // a slab of b
  int64_t slab_depth;   // a multiple of kGemmDepth
  int64_t step;         // of GemmTile
};

// Chunks of parallel work: at most kMostRows rows and kMostPanels panels, smaller where there would be few. The blocks
// of a that a chunk multiplies stay in the second-level cache. Shapes alone decide.
struct GemmGrid {
  static constexpr int64_t kMostRows = 96, kMostPanels = 32, kFewChunks = 16, kFewStrips = 4;
  int64_t strips, panels, strip_step, panel_step, row_blocks, column_blocks;

  explicit GemmGrid(const Gemm& g)
      : strips(ceil_div(g.rows, kGemmRows)),
        panels(ceil_div(g.columns, kGemmColumns)),
        strip_step(most(least(strips, kMostRows / kGemmRows), 1)),
        panel_step(most(least(panels, kMostPanels), 1)) {
    count();
    while (chunks() < kFewChunks && (panel_step > 1 || strip_step > kFewStrips)) {
      int64_t& step = panel_step > 1 ? panel_step : strip_step;
      step = (step + 1) / 2;
      count();
    }
  }
  void count() {
    row_blocks = ceil_div(strips, strip_step);
    column_blocks = ceil_div(panels, panel_step);
  }
  int64_t chunks() const { return row_blocks * column_blocks; }
};

// A stretch of the depth: `first` counted from the beginning, `at` from the beginning of its slab.
struct GemmPart {
  int64_t first, at, count;
};

// Depth of a slab whose packed operands are `width` wide together.
static inline int64_t gemm_slab_depth(int64_t width, int64_t depth) {
  const int64_t blocks = most(kGemmSlab / (most(width, 1) * kGemmDepth), 1);
  return least(blocks, most(ceil_div(depth, kGemmDepth), 1)) * kGemmDepth;
}

// Chunk `index` of the grid over the slab that begins at `first`. A depth of 0 still writes c.
template <GemmLayout kLayout, typename S>
void gemm_chunk(const Gemm& g, const GemmGrid& grid, int64_t index, int64_t first, const S& source) {
  const int64_t strip = index / grid.column_blocks * grid.strip_step;
  const int64_t panel = index % grid.column_blocks * grid.panel_step;
  const int64_t row = strip * kGemmRows, row_end = least(g.rows, row + grid.strip_step * kGemmRows);
  const int64_t panel_end = least(panel + grid.panel_step, grid.panels);
  const int64_t slab = least(g.slab_depth, g.depth - first);
  // The tiles over one panel bring in the next one, an equal part each.
  const int64_t ahead_step = ceil_div(kGemmColumns * 4, ceil_div(row_end - row, kGemmRows));
  GemmPart block{first, 0, 0};
  do {
    block.count = least(kGemmDepth, slab - block.at);
    for (int64_t p = panel; p < panel_end; p++) {
      const int64_t column = p * kGemmColumns, width = least(kGemmColumns, g.columns - column);
      const float* b = g.panels + (block.at / kGemmDepth * grid.panels + p) * kGemmPanel;
      uintptr_t ahead = reinterpret_cast<uintptr_t>(b) + kGemmPanel * sizeof(float);
      for (int64_t r = row; r < row_end; r += kGemmRows) {
        float* to = g.c + r * g.columns + column;
        gemm_rows<kLayout>(row_end - r, {source.left(r, block), g.step, b, block.count, to, g.columns, width,
                                         block.first > 0, ahead, ahead_step});
        ahead += static_cast<uintptr_t>(ahead_step * kGemmDepth);
      }
    }
    block.first += kGemmDepth;
    block.at += kGemmDepth;
  } while (block.at < slab);
}

// source.pack(part): packs what is packed of a part of a slab, at most kGemmPackDepth deep.
// source.left(row, block): where a tile finds the rows of a from `row` on.
template <GemmLayout kLayout, typename S>
void gemm(Pool& pool, const Gemm& g, const S& source) {
  const GemmGrid grid(g);
  int64_t first = 0;
  do {
    const int64_t slab = least(g.slab_depth, g.depth - first);
    auto pack = [&](int64_t index) {
      const int64_t at = index * kGemmPackDepth;
      source.pack(GemmPart{first + at, at, least(kGemmPackDepth, slab - at)});
    };
    parallel_for(pool, ceil_div(slab, kGemmPackDepth), pack);
    auto multiply = [&](int64_t index) { gemm_chunk<kLayout>(g, grid, index, first, source); };
    parallel_for(pool, grid.chunks(), multiply);
    first += g.slab_depth;
  } while (first < g.depth);
}

// A matrix to pack: one row for each step of the depth.
template <typename T>
struct GemmSource {
  const T* data;
  int64_t stride, width;

  const T* row(int64_t d) const { return data + d * stride; }
};

// A part of b, widened, into a slab of panels; zeros beyond its width.
template <typename T>
void pack_panels(const GemmSource<T>& b, const GemmPart& part, float* slab) {
  const int64_t panels = ceil_div(b.width, kGemmColumns);
  float* to = slab + part.at / kGemmDepth * panels * kGemmPanel + part.at % kGemmDepth * kGemmColumns;
  for (int64_t d = 0; d < part.count; d++, to += kGemmColumns) {
    const T* from = b.row(part.first + d);
    float* panel = to;
    int64_t column = 0;
    for (; column + kGemmColumns <= b.width; column += kGemmColumns, panel += kGemmPanel) {
      store(panel, load(from + column));
      store(panel + kWidth, load(from + column + kWidth));
    }
    if (column == b.width) continue;
    store(panel + kWidth, Vec{});
    each_vec(b.width - column, [&](int64_t i, int64_t lanes) {
      store(panel + i, load_some(from + column + i, lanes));
    });
  }
}

// A part of aᵀ into a slab of strips.
static inline void pack_strips(const GemmSource<float>& a, const GemmPart& part, float* slab) {
  constexpr int64_t kTogether = 8;  // so that the cache lines of a strip are written whole
  const int64_t strips = ceil_div(a.width, kGemmRows);
  float* to = slab + part.at / kGemmDepth * strips * kGemmStrip + part.at % kGemmDepth * kGemmRows;
  for (int64_t d = 0; d < part.count; d += kTogether) {
    const int64_t end = least(d + kTogether, part.count);
    for (int64_t s = 0; s < strips; s++) {
      const int64_t column = s * kGemmRows;
      const uint64_t bytes = static_cast<uint64_t>(least(kGemmRows, a.width - column)) * sizeof(float);
      for (int64_t i = d; i < end; i++) {
        float* strip = to + s * kGemmStrip + i * kGemmRows;
        const float* from = a.row(part.first + i) + column;
        if (bytes == kGemmRows * sizeof(float)) {
          __builtin_memcpy(strip, from, kGemmRows * sizeof(float));
        } else {
          __builtin_memcpy(strip, from, bytes);
        }
      }
    }
  }
}

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
