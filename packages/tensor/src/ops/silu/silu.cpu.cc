#include "core/op.h"
#include "core/row-chunks.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x [N, F] f32 (rows strided), out [N, F] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.rank == 2 && out.rank == 2, kShape, "[silu] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype, "[silu] wrong dtype");
  TRIMKV_REQUIRE(x.shape[0] == out.shape[0] && x.shape[1] == out.shape[1], kShape, "[silu] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous(out), kShape, "[silu] strided");
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
      store_some(to + i, v / (1.0f + exp(-v)), lanes);
    });
  });
  return {};
}

TRIMKV_OP("silu", 2, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
