#include <cmath>

#include "core/simd.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// k [B, C, H, D] f32 (outer axes strided), out [B, C, H] f32; scalars: log
constexpr int64_t kChunkRows = 256;

Status check(const Call& c) {
  const View &k = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(k.rank == 4 && k.dtype == DType::kF32 && contiguous_from(k, 3), kShape, "[keyNorm] k must be [B, C, H, D] f32");
  TRIMKV_REQUIRE(out.dtype == DType::kF32 && has_shape(out, k.shape[0], k.shape[1], k.shape[2]) && contiguous(out), kShape,
                 "[keyNorm] out must be [B, C, H] f32");
  return {};
}

Status run(const Call& c) {
  const View &k = c.tensors[0], &out = c.tensors[1];
  const int64_t rows = element_count(out), D = k.shape[3];
  auto chunk = [&](int64_t unit) {
    for (int64_t row = unit * kChunkRows; row < least((unit + 1) * kChunkRows, rows); row++) {
      const int64_t b = row / k.shape[2] / k.shape[1], t = row / k.shape[2] % k.shape[1], h = row % k.shape[2];
      const float* key = data_of<float>(k) + b * k.stride[0] + t * k.stride[1] + h * k.stride[2];
      const double norm = std::sqrt(static_cast<double>(dot(key, key, D)));
      data_of<float>(out)[row] = static_cast<float>(c.scalars[0] != 0 ? std::log(norm > 1e-12 ? norm : 1e-12) : norm);
    }
  };
  parallel_for(*c.pool, ceil_div(rows, kChunkRows), chunk);
  return {};
}

TRIMKV_OP("keyNorm", 2, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
