#pragma once
#include <cstdint>

#include "core/load.h"
#include "core/op.h"
#include "core/quantised.h"
#include "core/simd.h"
#include "linear/dot-fours.h"

// `linear` with weights in q8 or q4. The rows of x are quantised to int8 first, in blocks of 32 with a scale each. A block
// of a dot product is then a sum of integers, exact; the sums of the blocks are scaled and added in order, in f32, each
// output in its own lane. So a result does not depend on the tile, chunk or thread it is computed in.
namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int kQuantTileRows = kWidth == 16 ? 6 : 2;
constexpr int64_t kQuantStreamBytes = 128 << 10;  // weights of one chunk when few rows share them
constexpr int64_t kQuantSweepPanels = 6;          // panels of one chunk when many rows do
constexpr int64_t kQuantSweepRows = 132;
constexpr int64_t kQuantAhead = 1024;  // bytes fetched early in each stream
// Panels handled together: streams that hide each other's latency, as many as the registers take.
template <int R>
constexpr int kQuantTilePanels = kWidth == 16 ? (R <= 3 ? 4 : 2) : (R == 1 ? 2 : 1);
constexpr float kSmallest = 0x1p-100f;

// x, quantised: K int8 per row, then per block its scale and what the offset of the weights adds to its sums.
struct QuantisedRows {
  int8_t* values;
  float* scales;
  int32_t* offsets;
  int64_t depth, blocks;

  QuantisedRows(char* workspace, int64_t rows, int64_t k)
      : values(reinterpret_cast<int8_t*>(workspace)),
        scales(reinterpret_cast<float*>(workspace + (rows * k + 63) / 64 * 64)),
        offsets(reinterpret_cast<int32_t*>(scales + rows * (k / kQuantDepth))),
        depth(k),
        blocks(k / kQuantDepth) {}
};

int64_t quantised_workspace(const Call& c) {
  const View &x = c.tensors[0], &weight = c.tensors[1];
  if (!is_quantised(weight.dtype)) return 0;
  const int64_t elements = x.shape[0] * x.shape[1];
  return (elements + 63) / 64 * 64 + 8 * (elements / kQuantDepth);
}

// One block to int8: scale = max |x| / 127, values rounded to nearest even. A block that is not finite gets the scale NaN.
float quantise_block(const float* x, int8_t* to, int32_t& sum) {
  Vec largest{}, spread{};
  for (int i = 0; i < kQuantDepth; i += kWidth) {
    const Vec v = load(x + i);
    largest = max(largest, v < Vec{} ? -v : v);
    spread += v - v;  // NaN for NaN and infinities, else 0
  }
  const float most = max_lane(largest), finite = trimkv::TRIMKV_ISA::sum(spread);
  sum = 0;
  const bool counts = most >= kSmallest && finite == 0.0f;
  if (!counts) {
    __builtin_memset(to, 0, kQuantDepth);
    return finite;
  }
  const Vec inverse = broadcast(127.0f / most), shift = broadcast(0x1.8p23f);
  VecI total{};
  for (int i = 0; i < kQuantDepth; i += kWidth) {
    // Adding 1.5·2^23 leaves the rounded integer in the low bits.
    const VecI rounded = bits_as<VecI>(load(x + i) * inverse + shift) - bits_as<VecI>(shift);
    total += rounded;
    const auto narrow = __builtin_convertvector(rounded, int8_t __attribute__((vector_size(kWidth))));
    __builtin_memcpy(to + i, &narrow, sizeof(narrow));
  }
  for (int lane = 0; lane < kWidth; lane++) sum += total[lane];
  return most / 127.0f;
}

// Panels first, first + span, …
struct Panels {
  int64_t first, span;
  int width;
};

template <typename Format>
struct QuantisedLinear {
  const QuantisedRows& x;
  const Call& call;
  int64_t columns = call.tensors[1].shape[0];
  int64_t panel_bytes = x.blocks * quantised_block_bytes(Format::kType);

  // R rows of out, in the columns of `width` ≤ P panels that lie `span` apart. The next tile begins one panel further on: so
  // a chunk is read as P long streams. The last panel of all may be cut by the number of columns.
  template <int R, int P>
  void tile(int64_t row, const Panels& at) const {
    constexpr int V = P * kParts;
    const char* block[P];
    for (int p = 0; p < P; p++) {
      block[p] = data_of<char>(call.tensors[1]) + (at.first + (p < at.width ? p : at.width - 1) * at.span) * panel_bytes;
    }
    const int8_t* values = x.values + row * x.depth;
    const float* scales = x.scales + row * x.blocks;
    const int32_t* offsets = x.offsets + row * x.blocks;
    Vec total[V][R] = {};
    for (int64_t b = 0; b < x.blocks; b++, values += kQuantDepth) {
      VecI acc[V][R];
#pragma GCC unroll 16
      for (int v = 0; v < V; v++) {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) acc[v][r] = offsets[r * x.blocks + b] - VecI{};
      }
#pragma GCC unroll 8
      for (int g = 0; g < kQuantDepth / 4; g++) {
        if (64 * g < quantised_block_bytes(Format::kType)) {
#pragma GCC unroll 8
          for (int p = 0; p < P; p++) __builtin_prefetch(block[p] + kQuantAhead + 64 * g);
        }
        VecI w[V];
#pragma GCC unroll 16
        for (int v = 0; v < V; v++) {
          w[v] = Format::group(block[v / kParts] + kScaleBytes + 4 * kWidth * (v % kParts), g);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
          const VecI a = four_of(values + r * x.depth + 4 * g);
#pragma GCC unroll 16
          for (int v = 0; v < V; v++) acc[v][r] = Format::add(acc[v][r], w[v], a);
        }
      }
#pragma GCC unroll 16
      for (int v = 0; v < V; v++) {
        const Vec scale = load(reinterpret_cast<const F16*>(block[v / kParts]) + kWidth * (v % kParts));
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
          const Vec factor = scale * broadcast(scales[r * x.blocks + b]);
          total[v][r] = fma(__builtin_convertvector(acc[v][r], Vec), factor, total[v][r]);
        }
      }
      for (int p = 0; p < P; p++) block[p] += quantised_block_bytes(Format::kType);
    }
    for (int v = 0; v < at.width * kParts; v++) {
      const int64_t column = kQuantRows * (at.first + v / kParts * at.span) + kWidth * (v % kParts);
      for (int r = 0; r < R; r++) put(row + r, column, total[v][r]);
    }
  }

  // (dot + bias) + residual, into the columns that exist.
  void put(int64_t row, int64_t column, Vec v) const {
    const View &bias = call.tensors[2], &residual = call.tensors[3], &out = call.tensors[4];
    const int64_t left = columns - column, lanes = left < kWidth ? left : kWidth;
    if (lanes <= 0) return;
    if (bias.present) {
      float add[kWidth] = {};
      widen_row(data_of<char>(bias) + column * dtype_bytes(bias.dtype), bias.dtype, lanes, add);
      v += load(add);
    }
    if (residual.present) v += load_some(data_of<float>(residual) + row * residual.stride[0] + column, lanes);
    store_some(data_of<float>(out) + row * columns + column, v, lanes);
  }

  // R rows against all panels of a chunk.
  template <int R>
  void rows_of(int64_t row, int64_t panel, int64_t panel_end) const {
    constexpr int P = kQuantTilePanels<R>;
    const int64_t span = (panel_end - panel + P - 1) / P;
    for (int64_t first = panel; first < panel + span; first++) {
      const int64_t width = (panel_end - first + span - 1) / span;
      tile<R, P>(row, Panels{first, span, static_cast<int>(width)});
    }
  }

  // Rows in tiles of at most kQuantTileRows, as even as possible.
  void chunk(int64_t row, int64_t row_end, int64_t panel, int64_t panel_end) const {
    for (int64_t tiles = (row_end - row + kQuantTileRows - 1) / kQuantTileRows; tiles > 0; tiles--) {
      const int64_t rows = (row_end - row + tiles - 1) / tiles;
      switch (rows) {
        case 1:
          rows_of<1>(row, panel, panel_end);
          break;
        case 2:
          rows_of<2>(row, panel, panel_end);
          break;
#if defined(__AVX512F__)
        case 3:
          rows_of<3>(row, panel, panel_end);
          break;
        case 4:
          rows_of<4>(row, panel, panel_end);
          break;
        case 5:
          rows_of<5>(row, panel, panel_end);
          break;
        default:
          rows_of<6>(row, panel, panel_end);
#else
        default:
          break;
#endif
      }
      row += rows;
    }
  }
};

template <typename Format>
void run_quantised_as(const Call& call) {
  const View &x = call.tensors[0], &weight = call.tensors[1];
  const int64_t rows = x.shape[0], depth = x.shape[1];
  const QuantisedRows quantised(call.workspace, rows, depth);
  // Rows are few while decoding, blocks are many: a chunk is a piece of either.
  constexpr int64_t kBlocksAtOnce = 64;
  const int64_t pieces = (quantised.blocks + kBlocksAtOnce - 1) / kBlocksAtOnce;
  auto quantise = [&](int64_t index) {
    const int64_t row = index / pieces, first = index % pieces * kBlocksAtOnce;
    const float* from = data_of<float>(x) + row * x.stride[0];
    for (int64_t b = first; b < first + kBlocksAtOnce && b < quantised.blocks; b++) {
      const int64_t at = row * quantised.blocks + b;
      int32_t sum = 0;
      quantised.scales[at] = quantise_block(from + b * kQuantDepth, quantised.values + at * kQuantDepth, sum);
      quantised.offsets[at] = -Format::kOffset * sum;
    }
  };
  parallel_for(*call.pool, rows * pieces, quantise);

  const QuantisedLinear<Format> linear{quantised, call};
  const int64_t panels = (weight.shape[0] + kQuantRows - 1) / kQuantRows;
  const bool few = rows <= kQuantTileRows;
  const int64_t fitting = kQuantStreamBytes / (linear.panel_bytes > 0 ? linear.panel_bytes : 1);
  const int64_t panel_step = few ? (fitting > 1 ? fitting : 1) : kQuantSweepPanels;
  const int64_t row_step = few ? kQuantTileRows : kQuantSweepRows;
  const int64_t across = (panels + panel_step - 1) / panel_step, down = (rows + row_step - 1) / row_step;
  auto part = [&](int64_t index) {
    const int64_t row = index / across * row_step, panel = index % across * panel_step;
    linear.chunk(row, row + row_step < rows ? row + row_step : rows, panel,
                 panel + panel_step < panels ? panel + panel_step : panels);
  };
  parallel_for(*call.pool, across * down, part);
}

void run_quantised(const Call& call) {
  if (call.tensors[1].dtype == DType::kQ8) {
    run_quantised_as<Q8>(call);
  } else {
    run_quantised_as<Q4>(call);
  }
}

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
