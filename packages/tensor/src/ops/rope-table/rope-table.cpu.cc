#include <cmath>

#include "core/op.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// positions [N] i32, invFreq [F, R/2] f32 (rows strided), out [N, R] f32; scalars: scale
Status check(const Call& c) {
  const View &positions = c.tensors[0], &inv_freq = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(positions.rank == 1 && inv_freq.rank == 2 && out.rank == 2, kShape, "[ropeTable] wrong rank");
  TRIMKV_REQUIRE(positions.dtype == DType::kI32 && inv_freq.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype,
                 "[ropeTable] wrong dtype");
  TRIMKV_REQUIRE(out.shape[0] == positions.shape[0] && out.shape[1] == 2 * inv_freq.shape[1], kShape,
                 "[ropeTable] sizes differ");
  TRIMKV_REQUIRE(inv_freq.shape[0] > 0 && positions.shape[0] % inv_freq.shape[0] == 0, kShape,
                 "[ropeTable] positions cannot be shared out over the rows of invFreq");
  TRIMKV_REQUIRE(contiguous(positions) && contiguous_from(inv_freq, 1) && contiguous(out), kShape,
                 "[ropeTable] strided");
  return {};
}

Status run(const Call& c) {
  const View &positions = c.tensors[0], &inv_freq = c.tensors[1], &out = c.tensors[2];
  const int64_t half = inv_freq.shape[1], per_row = positions.shape[0] / inv_freq.shape[0];
  const double scale = c.scalars[0];
  auto row = [&](int64_t n) {
    const float position = static_cast<float>(data_of<int32_t>(positions)[n]);
    const float* frequency = data_of<float>(inv_freq) + n / per_row * inv_freq.stride[0];
    float* cosines = data_of<float>(out) + n * 2 * half;
    for (int64_t i = 0; i < half; i++) {
      const float angle = position * frequency[i];  // rounded to f32 on purpose
      cosines[i] = static_cast<float>(std::cos(static_cast<double>(angle)) * scale);
      cosines[half + i] = static_cast<float>(std::sin(static_cast<double>(angle)) * scale);
    }
  };
  parallel_for(*c.pool, positions.shape[0], row);
  return {};
}

TRIMKV_OP("ropeTable", 3, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
