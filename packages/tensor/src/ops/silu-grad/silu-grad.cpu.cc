#include "core/op.h"
#include "core/row-chunks.h"
#include "core/sigmoid.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x, dy [N, F] f32 (rows strided), out [N, F] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &dy = c.tensors[1], &out = c.tensors[2];
  for (const View* v : {&x, &dy, &out}) {
    TRIMKV_REQUIRE(v->rank == 2, kShape, "[siluGrad] wrong rank");
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[siluGrad] wrong dtype");
    TRIMKV_REQUIRE(v->shape[0] == x.shape[0] && v->shape[1] == x.shape[1], kShape, "[siluGrad] sizes differ");
    TRIMKV_REQUIRE(contiguous_from(*v, 1), kShape, "[siluGrad] strided");
  }
  TRIMKV_REQUIRE(contiguous(out), kShape, "[siluGrad] strided");
  return {};
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &dy = c.tensors[1], &out = c.tensors[2];
  const int64_t width = x.shape[1];
  parallel_rows(*c.pool, x.shape[0], width, [&](int64_t n) {
    const float* in = data_of<float>(x) + n * x.stride[0];
    const float* grad = data_of<float>(dy) + n * dy.stride[0];
    float* to = data_of<float>(out) + n * width;
    each_vec(width, [&](int64_t i, int64_t lanes) {
      const Vec v = load_some(in + i, lanes);
      const Sigmoid s = sigmoid(v);
      store_some(to + i, load_some(grad + i, lanes) * (s.value * fma(v, s.complement, broadcast(1.0f))), lanes);
    });
  });
  return {};
}

TRIMKV_OP("siluGrad", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
