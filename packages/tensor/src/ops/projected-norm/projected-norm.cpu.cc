#include "core/dot-tile.h"
#include "core/load.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// v [B, C, H, D] f32 (outer axes strided), weight [E, Hq·D] (rows strided), out [B, C, H] f32
constexpr int64_t kTokens = 24;   // multiplied with a block of the weight at a time
constexpr int64_t kOutputs = 32;  // rows of the weight in a block

Status check(const Call& c) {
  const View &v = c.tensors[0], &weight = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(v.rank == 4 && v.dtype == DType::kF32 && contiguous_from(v, 3), kShape,
                 "[projectedNorm] v must be [B, C, H, D] f32");
  TRIMKV_REQUIRE(weight.rank == 2 && is_float(weight.dtype) && contiguous_from(weight, 1), kShape,
                 "[projectedNorm] weight must be [E, Hq * D] of a float dtype");
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

  // Tokens of one chunk of one head.
  template <typename T>
  void chunk(int64_t unit) const {
    const int64_t h = unit % H, first = unit / H % chunks * kTokens, b = unit / H / chunks, n = least(kTokens, C - first);
    const Rows<float> values{data_of<float>(v) + b * v.stride[0] + first * v.stride[1] + h * v.stride[2], v.stride[1]};
    float moved[kTokens * kOutputs];
    double sums[kTokens] = {};
    for (int64_t g = 0; g < group; g++) {
      for (int64_t e = 0; e < E; e += kOutputs) {
        const Rows<T> rows{data_of<T>(weight) + e * weight.stride[0] + (h * group + g) * D, weight.stride[0]};
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
    float* to = data_of<float>(out) + (b * C + first) * H + h;
    for (int64_t t = 0; t < n; t++) to[t * H] = static_cast<float>(sums[t] / static_cast<double>(group));
  }
};

Status run(const Call& c) {
  const Norms norms{c};
  visit_float(norms.weight.dtype, [&](auto type) {
    auto chunk = [&](int64_t unit) { norms.chunk<decltype(type)>(unit); };
    parallel_for(*c.pool, norms.v.shape[0] * norms.chunks * norms.H, chunk);
  });
  return {};
}

TRIMKV_OP("projectedNorm", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
