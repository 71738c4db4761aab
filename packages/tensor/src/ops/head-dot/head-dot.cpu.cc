#include "core/simd.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// k [B, C, H, D] f32 (outer axes strided), direction [H, D] f32 (rows strided), out [B, C, H] f32; scalars: scale
constexpr int64_t kChunkRows = 256;

Status check(const Call& c) {
  const View &k = c.tensors[0], &direction = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(k.rank == 4 && k.dtype == DType::kF32 && contiguous_from(k, 3), kShape, "[headDot] k must be [B, C, H, D] f32");
  TRIMKV_REQUIRE(direction.dtype == DType::kF32 && has_shape(direction, k.shape[2], k.shape[3]) && contiguous_from(direction, 1),
                 kShape, "[headDot] direction must be [H, D] f32");
  TRIMKV_REQUIRE(out.dtype == DType::kF32 && has_shape(out, k.shape[0], k.shape[1], k.shape[2]) && contiguous(out), kShape,
                 "[headDot] out must be [B, C, H] f32");
  return {};
}

Status run(const Call& c) {
  const View &k = c.tensors[0], &direction = c.tensors[1], &out = c.tensors[2];
  const int64_t rows = element_count(out);
  const float scale = static_cast<float>(c.scalars[0]);
  auto chunk = [&](int64_t unit) {
    for (int64_t row = unit * kChunkRows; row < least((unit + 1) * kChunkRows, rows); row++) {
      const int64_t b = row / k.shape[2] / k.shape[1], t = row / k.shape[2] % k.shape[1], h = row % k.shape[2];
      const float* key = data_of<float>(k) + b * k.stride[0] + t * k.stride[1] + h * k.stride[2];
      data_of<float>(out)[row] = scale * dot(key, data_of<float>(direction) + h * direction.stride[0], k.shape[3]);
    }
  };
  parallel_for(*c.pool, ceil_div(rows, kChunkRows), chunk);
  return {};
}

TRIMKV_OP("headDot", 3, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
