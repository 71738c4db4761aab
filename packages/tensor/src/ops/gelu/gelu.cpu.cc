#include "core/op.h"
#include "core/row-chunks.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// erfc(z) for z ≥ 0, but for rounding right to 1.2e-7 of itself: t·e^(−z² + polynomial in t), Press et al., Numerical Recipes §6.2.
inline Vec upper_tail(Vec z) {
  const Vec t = 1.0f / (1.0f + 0.5f * z);
  Vec p = broadcast(0.17087277f);
  for (const float coefficient : {-0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f, 0.09678418f, 0.37409196f,
                                  1.00002368f, -1.26551223f}) {
    p = fma(p, t, broadcast(coefficient));
  }
  return t * exp(fma(-z, z, p));
}

// x [N, F] f32 (rows strided), out [N, F] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.rank == 2 && out.rank == 2, kShape, "[gelu] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype, "[gelu] wrong dtype");
  TRIMKV_REQUIRE(x.shape[0] == out.shape[0] && x.shape[1] == out.shape[1], kShape, "[gelu] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous(out), kShape, "[gelu] strided");
  return {};
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  const int64_t width = x.shape[1];
  parallel_rows(*c.pool, x.shape[0], width, [&](int64_t n) {
    const float* in = data_of<float>(x) + n * x.stride[0];
    float* to = data_of<float>(out) + n * width;
    each_vec(width, [&](int64_t i, int64_t lanes) {
      const Vec v = load_some(in + i, lanes);
      // Beyond 14 the tail is 0 in f32, and the square of a number far beyond that would not be finite.
      const Vec far = broadcast(14.0f);
      const Vec z = (v > 0.0f ? v : -v) * 0.70710678118654752f;
      const Vec tail = 0.5f * upper_tail(z > far ? far : z);
      const Vec below = v < -20.0f ? broadcast(-0.0f) : v * tail;
      store_some(to + i, v > 0.0f ? v * (1.0f - tail) : below, lanes);
    });
  });
  return {};
}

TRIMKV_OP("gelu", 2, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
