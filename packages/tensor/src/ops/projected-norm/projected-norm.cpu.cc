#include "core/dot-tile.h"
#include "core/load.h"
#include "core/quantised.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// v [B, C, H, D] f32 (outer axes strided), weight [E, Hq·D] (rows strided; q8 and q4 whole), out [B, C, H] f32
constexpr int64_t kTokens = 24;   // multiplied with a block of the weight at a time
constexpr int64_t kOutputs = 32;  // rows of the weight in a block
constexpr int kTileTokens = 4;    // tokens that share the elements of a quantised block while they are in registers
constexpr int kParts = kQuantRows / kWidth;  // vectors that hold an element of all rows of a panel

Status check(const Call& c) {
  const View &v = c.tensors[0], &weight = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(v.rank == 4 && v.dtype == DType::kF32 && contiguous_from(v, 3), kShape,
                 "[projectedNorm] v must be [B, C, H, D] f32");
  TRIMKV_REQUIRE(weight.rank == 2 && (is_float(weight.dtype) || is_quantised(weight.dtype)) &&
                     contiguous_from(weight, is_quantised(weight.dtype) ? 0 : 1),
                 kShape, "[projectedNorm] weight must be [E, Hq * D] of a dtype of weights");
  const int64_t width = v.shape[2] * v.shape[3];
  TRIMKV_REQUIRE(width > 0 && weight.shape[1] > 0 && weight.shape[1] % width == 0, kShape,
                 "[projectedNorm] weight does not read whole groups of heads");
  TRIMKV_REQUIRE(out.dtype == DType::kF32 && has_shape(out, v.shape[0], v.shape[1], v.shape[2]) && contiguous(out), kShape,
                 "[projectedNorm] out must be [B, C, H] f32");
  return {};
}

struct Norms {
  const Call& call;
  const View &v = call.tensors[0], &weight = call.tensors[1], &out = call.tensors[2];
  const int64_t C = v.shape[1], H = v.shape[2], D = v.shape[3], E = weight.shape[0];
  const int64_t group = weight.shape[1] / (H * D), chunks = ceil_div(C, kTokens);

  // Units of work: a chunk of the tokens of one head.
  int64_t units() const { return v.shape[0] * chunks * H; }
  struct Tokens {
    int64_t b, h, first, n;
  };
  Tokens tokens_of(int64_t unit) const {
    const int64_t first = unit / H % chunks * kTokens;
    return {unit / H / chunks, unit % H, first, least(kTokens, C - first)};
  }
  const float* value(const Tokens& at, int64_t t) const {
    return data_of<float>(v) + at.b * v.stride[0] + (at.first + t) * v.stride[1] + at.h * v.stride[2];
  }
  void put(const Tokens& at, const double* sums) const {
    float* to = data_of<float>(out) + (at.b * C + at.first) * H + at.h;
    for (int64_t t = 0; t < at.n; t++) to[t * H] = static_cast<float>(sums[t] / static_cast<double>(group));
  }

  template <typename T>
  void chunk(int64_t unit) const {
    const Tokens at = tokens_of(unit);
    const int64_t n = at.n;
    const Rows<float> values{value(at, 0), v.stride[1]};
    float moved[kTokens * kOutputs];
    double sums[kTokens] = {};
    for (int64_t g = 0; g < group; g++) {
      for (int64_t e = 0; e < E; e += kOutputs) {
        const Rows<T> rows{data_of<T>(weight) + e * weight.stride[0] + (at.h * group + g) * D, weight.stride[0]};
        const int64_t outputs = least(kOutputs, E - e);
        dot_rows(DotTile<float, T>{values, rows, D, moved, kOutputs}, n, outputs);
        // A block in f32 lanes, blocks in f64: a chain of f64 sums would take as long as the products.
        for (int64_t t = 0; t < n; t++) {
          Vec lanes_sum{};
          each_vec(outputs, [&](int64_t i, int64_t lanes) {
            const Vec x = load_some(moved + t * kOutputs + i, lanes);
            lanes_sum += max(x, -x);
          });
          sums[t] += static_cast<double>(sum(lanes_sum));
        }
      }
    }
    put(at, sums);
  }

  // ---- q8 and q4: lanes are rows of the weight, as its panels lie. Values are padded with zeros to the blocks that hold
  // the columns of their query head. ----
  int64_t padded() const { return (ceil_div(D - 1, kQuantDepth) + 1) * kQuantDepth; }
  int64_t workspace_bytes() const { return is_quantised(weight.dtype) ? 4 * units() * kTokens * padded() : 0; }

  // Adds the four elements of every row in `bytes`, times their values, to the sums of R tokens.
  template <int R, int Shift, bool Signed>
  static void add_four(VecI bytes, const float* values, int64_t stride, Vec* sums) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      const VecI top = bits_as<VecI>(bits_as<VecU>(bytes) << (24 - 8 * i));
      const VecI whole = Signed ? top >> 24 : ((bytes >> (8 * i + Shift)) & 15) - 8;
      const Vec w = __builtin_convertvector(whole, Vec);
#pragma GCC unroll 4
      for (int t = 0; t < R; t++) sums[t] = fma(w, broadcast(values[t * stride + i]), sums[t]);
    }
  }

  // Σ over the rows of a panel of |dot| over `blocks` blocks, for R tokens.
  template <bool Q8, int R>
  void add_rows(const char* block, int64_t blocks, const float* values, double* sums) const {
    const int64_t stride = padded(), bytes = quantised_block_bytes(Q8 ? DType::kQ8 : DType::kQ4);
    for (int part = 0; part < kParts; part++) {
      Vec total[R] = {};
      for (int64_t b = 0; b < blocks; b++) {
        const char* at = block + b * bytes;
        const char *scales = at + 2 * kWidth * part, *fours = at + kScaleBytes + 4 * kWidth * part;
        const float* x = values + b * kQuantDepth;
        Vec dots[R] = {};
        for (int g = 0; g < (Q8 ? 8 : 4); g++) {
          const VecI four = load_bits<VecI>(fours + 64 * g);
          add_four<R, 0, Q8>(four, x + 4 * g, stride, dots);
          if (!Q8) add_four<R, 4, false>(four, x + 16 + 4 * g, stride, dots);
        }
        const Vec scale = load(reinterpret_cast<const F16*>(scales));
        for (int t = 0; t < R; t++) total[t] = fma(dots[t], scale, total[t]);
      }
      for (int t = 0; t < R; t++) sums[t] += static_cast<double>(sum(max(total[t], -total[t])));
    }
  }

  template <bool Q8>
  void chunk_quantised(int64_t unit) const {
    const Tokens at = tokens_of(unit);
    const int64_t width = padded();
    const int64_t bytes = quantised_block_bytes(weight.dtype);
    float* values = reinterpret_cast<float*>(call.workspace) + unit * kTokens * width;
    double sums[kTokens] = {};
    for (int64_t g = 0; g < group; g++) {
      const int64_t column = (at.h * group + g) * D, block = column / kQuantDepth, shift = column % kQuantDepth;
      const int64_t blocks = ceil_div(shift + D, kQuantDepth);
      __builtin_memset(values, 0, static_cast<uint64_t>(kTokens * width) * sizeof(float));
      for (int64_t t = 0; t < at.n; t++) convert_row(value(at, t), values + t * width + shift, D);
      for (int64_t e = 0; e < E; e += kQuantRows) {
        const char* panel = quantised_panel(weight, e) + block * bytes;
        for (int64_t t = 0; t < at.n; t += kTileTokens) {
          const float* x = values + t * width;
          at.n - t == 1 ? add_rows<Q8, 1>(panel, blocks, x, sums + t) : add_rows<Q8, kTileTokens>(panel, blocks, x, sums + t);
        }
      }
    }
    put(at, sums);
  }
};

int64_t workspace(const Call& c) { return Norms{c}.workspace_bytes(); }

Status run(const Call& c) {
  const Norms norms{c};
  if (is_quantised(norms.weight.dtype)) {
    auto chunk = [&](int64_t unit) {
      norms.weight.dtype == DType::kQ8 ? norms.chunk_quantised<true>(unit) : norms.chunk_quantised<false>(unit);
    };
    parallel_for(*c.pool, norms.units(), chunk);
    return {};
  }
  visit_float(norms.weight.dtype, [&](auto type) {
    auto chunk = [&](int64_t unit) { norms.chunk<decltype(type)>(unit); };
    parallel_for(*c.pool, norms.units(), chunk);
  });
  return {};
}

TRIMKV_OP("projectedNorm", 3, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
