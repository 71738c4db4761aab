#include "core/load.h"
#include "core/op.h"
#include "core/simd.h"
#include "linear/linear-quantised.h"
#include "linear/linear-sweep.h"
#include "linear/linear-tile.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// Up to so many rows weights are widened in registers, anew for every tile; with more, both sides are laid out for it.
constexpr int64_t kStreamRows = 32;
// Weights of one chunk: long streams are foreseen best, and there must be enough chunks for all threads.
constexpr int64_t kLeastStreamBytes = 96 << 10, kMostStreamBytes = 384 << 10, kStreamChunks = 16;
constexpr uintptr_t kStreamAhead = 2048;     // bytes fetched early in each stream

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// x [N, K] f32 (rows strided), weight [O, K], bias? [O], residual? [N, O] f32 (rows strided), out [N, O] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &weight = c.tensors[1], &bias = c.tensors[2], &residual = c.tensors[3];
  const View& out = c.tensors[4];
  TRIMKV_REQUIRE(x.rank == 2 && weight.rank == 2 && out.rank == 2, kShape, "[linear] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32 &&
                     (is_float(weight.dtype) || is_quantised(weight.dtype)),
                 kDtype, "[linear] wrong dtype");
  TRIMKV_REQUIRE(weight.shape[1] == x.shape[1] && out.shape[0] == x.shape[0] && out.shape[1] == weight.shape[0],
                 kShape, "[linear] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous(weight) && contiguous(out), kShape, "[linear] strided");
  if (bias.present) {
    TRIMKV_REQUIRE(is_float(bias.dtype), kDtype, "[linear] wrong dtype of bias");
    TRIMKV_REQUIRE(bias.rank == 1 && bias.shape[0] == out.shape[1] && contiguous(bias), kShape,
                   "[linear] wrong shape of bias");
  }
  if (residual.present) {
    TRIMKV_REQUIRE(residual.dtype == DType::kF32, kDtype, "[linear] wrong dtype of residual");
    TRIMKV_REQUIRE(residual.rank == 2 && residual.shape[0] == out.shape[0] && residual.shape[1] == out.shape[1] &&
                       contiguous_from(residual, 1),
                   kShape, "[linear] wrong shape of residual");
  }
  return {};
}

int64_t columns_of_chunk(const View& weight) {
  const int64_t row_bytes = most(weight.shape[1] * dtype_bytes(weight.dtype), 1);
  const int64_t share = weight.shape[0] * row_bytes / kStreamChunks;
  const int64_t bytes = least(most(share, kLeastStreamBytes), kMostStreamBytes);
  return most(bytes / row_bytes / kPanel, 1) * kPanel;
}

// Up to kPanel rows of the weight, elements first … first+count−1 of each. The rows lie `span` apart, and the next
// panel begins one row further on: so a chunk is read as kPanel long streams, which the hardware foresees.
template <typename T>
struct Panel {
  const T* rows[kPanel];
  int64_t first, count;  // of K
  int64_t column, span;
  int width;  // rows that exist; the pointers beyond repeat the last one
};

// Few rows.
template <typename T>
struct Stream {
  const float* x;
  int64_t x_stride;
  const T* weight;
  int64_t depth;
  float* out;
  int64_t columns, row_count;

  // Panel number `index` of a chunk.
  Panel<T> panel(const Part& c, int64_t index, int64_t first) const {
    Panel<T> p{{}, first, least(depth - first, kBlock), c.column + index, panels(c), 0};
    p.width = static_cast<int>(least(ceil_div(c.column_end - p.column, p.span), kPanel));
    for (int j = 0; j < kPanel; j++) p.rows[j] = weight + (p.column + least(j, p.width - 1) * p.span) * depth + first;
    return p;
  }

  static int64_t panels(const Part& c) { return ceil_div(c.column_end - c.column, kPanel); }

  // Tile `index` of `tiles` fetches every tiles-th row of `p`, `bytes` further on; the other lines are cached already.
  static Ahead ahead(const Panel<T>& p, uintptr_t bytes, int64_t index, int64_t tiles) {
    Ahead a{{}, kWidth * int64_t{sizeof(T)}};
    for (int j = 0; j < kPanel; j++) {
      a.from[j] = reinterpret_cast<uintptr_t>(p.rows[j]) + (j % tiles == index ? bytes : 0);
    }
    return a;
  }

  // out[row + r][p.column + j·span] (+)= dot products over one block of K.
  template <int R, bool kFetch>
  void tile(int64_t row, const Panel<T>& p, const Ahead& a) const {
    float sums[kPanel][kTileRows];
    const float* in = x + row * x_stride + p.first;
    for (int j = 0; j < kPanel; j += kTileColumns<R>) {
      block_dots<R, kTileColumns<R>, kFetch>(in, x_stride, p.rows + j, p.count, a.from + j, a.step, sums + j);
    }
    float* to = out + row * columns + p.column;
    const auto put = [&](int width) __attribute__((always_inline)) {
      for (int r = 0; r < R; r++, to += columns) {
        for (int j = 0; j < width; j++) {
          float& total = to[j * p.span];
          total = p.first == 0 ? sums[j][r] : total + sums[j][r];
        }
      }
    };
    if (p.width == kPanel) {
      put(kPanel);
    } else {
      put(p.width);
    }
  }

  // All rows against one panel, in tiles of at most kTileRows rows, as even as possible.
  void tiles(const Panel<T>& p) const {
    const int64_t count = ceil_div(row_count, kTileRows);
    int64_t row = 0;
    for (int64_t i = 0; i < count; i++) {
      const int64_t rows = ceil_div(row_count - row, count - i);
      if (i < kPanel) {
        tile_of<true>(rows, row, p, ahead(p, kStreamAhead, i, count));
      } else {
        tile_of<false>(rows, row, p, Ahead{});
      }
      row += rows;
    }
  }

  template <bool kFetch>
  void tile_of(int64_t rows, int64_t row, const Panel<T>& p, const Ahead& a) const {
    switch (rows) {
      case 1:
        return tile<1, kFetch>(row, p, a);
      case 2:
        return tile<2, kFetch>(row, p, a);
      case 3:
        return tile<3, kFetch>(row, p, a);
      default:
        return tile<4, kFetch>(row, p, a);
    }
  }

  // Every tile widens the weights anew, in registers.
  void stream(const Part& c) const {
    for (int64_t index = 0; index < panels(c); index++) {
      int64_t first = 0;
      do {
        tiles(panel(c, index, first));
        first += kBlock;
      } while (first < depth);
    }
  }
};

// (dot + bias) + residual, over a finished part.
template <typename B>
void add_bias_and_residual(const Call& call, const Part& c, const B* bias) {
  const View &residual = call.tensors[3], &out = call.tensors[4];
  for (int64_t row = c.row; row < c.row_end; row++) {
    float* to = data_of<float>(out) + row * out.shape[1] + c.column;
    const float* add = residual.present ? data_of<float>(residual) + row * residual.stride[0] + c.column : nullptr;
    each_vec(c.column_end - c.column, [&](int64_t i, int64_t lanes) {
      Vec v = load_some(to + i, lanes);
      if (bias != nullptr) v += load_some(bias + c.column + i, lanes);
      if (add != nullptr) v += load_some(add + i, lanes);
      store_some(to + i, v, lanes);
    });
  }
}

void finish(const Call& call, const Part& part) {
  const View &bias = call.tensors[2], &residual = call.tensors[3];
  if (!bias.present && !residual.present) return;
  visit_float(bias.dtype, [&](auto type) { add_bias_and_residual(call, part, data_of<decltype(type)>(bias)); });
}

template <typename T>
void multiply(const Call& call) {
  const View &x = call.tensors[0], &weight = call.tensors[1], &out = call.tensors[4];
  const int64_t rows = x.shape[0], columns = weight.shape[0], depth = x.shape[1];
  const auto done = [&](const Part& part) { finish(call, part); };
  if (rows > kStreamRows) {
    const Sweep<T> sweep{data_of<float>(x),   x.stride[0], rows, data_of<T>(weight), columns, depth,
                         data_of<float>(out), reinterpret_cast<float*>(call.workspace)};
    return sweep.run(*call.pool, done);
  }
  const Stream<T> stream{data_of<float>(x), x.stride[0], data_of<T>(weight), depth, data_of<float>(out), columns, rows};
  const int64_t step = columns_of_chunk(weight);
  auto chunk = [&](int64_t index) {
    const Part part{0, rows, index * step, least(index * step + step, columns)};
    stream.stream(part);
    done(part);
  };
  parallel_for(*call.pool, rows == 0 ? 0 : ceil_div(columns, step), chunk);
}

int64_t workspace(const Call& call) {
  const View& x = call.tensors[0];
  if (is_quantised(call.tensors[1].dtype)) return quantised_workspace(call);
  return x.shape[0] > kStreamRows ? sweep_workspace(x.shape[0], x.shape[1]) : 0;
}

Status run(const Call& call) {
  if (is_quantised(call.tensors[1].dtype)) {
    run_quantised(call);
    return {};
  }
  visit_float(call.tensors[1].dtype, [&](auto type) { multiply<decltype(type)>(call); });
  return {};
}

TRIMKV_OP("linear", 5, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
