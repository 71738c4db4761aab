#include "core/op.h"
#include "core/row-chunks.h"
#include "core/sigmoid.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// gate, up, dy [N, F] f32 (rows strided), dGate, dUp [N, F] f32
Status check(const Call& c) {
  const View& gate = c.tensors[0];
  for (int t = 0; t < 5; t++) {
    const View& v = c.tensors[t];
    TRIMKV_REQUIRE(v.rank == 2, kShape, "[swigluGrad] wrong rank");
    TRIMKV_REQUIRE(v.dtype == DType::kF32, kDtype, "[swigluGrad] wrong dtype");
    TRIMKV_REQUIRE(v.shape[0] == gate.shape[0] && v.shape[1] == gate.shape[1], kShape, "[swigluGrad] sizes differ");
    TRIMKV_REQUIRE(contiguous_from(v, t < 3 ? 1 : 0), kShape, "[swigluGrad] strided");
  }
  return {};
}

Status run(const Call& c) {
  const View &gate = c.tensors[0], &up = c.tensors[1], &dy = c.tensors[2];
  const int64_t width = gate.shape[1];
  parallel_rows(*c.pool, gate.shape[0], width, [&](int64_t n) {
    const float* g = data_of<float>(gate) + n * gate.stride[0];
    const float* u = data_of<float>(up) + n * up.stride[0];
    const float* grad = data_of<float>(dy) + n * dy.stride[0];
    float* to_gate = data_of<float>(c.tensors[3]) + n * width;
    float* to_up = data_of<float>(c.tensors[4]) + n * width;
    each_vec(width, [&](int64_t i, int64_t lanes) {
      const Vec v = load_some(g + i, lanes), d = load_some(grad + i, lanes);
      const Sigmoid s = sigmoid(v);
      const Vec scaled = d * s.value;
      store_some(to_gate + i, scaled * load_some(u + i, lanes) * fma(v, s.complement, broadcast(1.0f)), lanes);
      store_some(to_up + i, scaled * v, lanes);
    });
  });
  return {};
}

TRIMKV_OP("swigluGrad", 5, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
