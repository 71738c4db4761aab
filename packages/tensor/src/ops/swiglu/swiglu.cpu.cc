#include "core/op.h"
#include "core/row-chunks.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// gate, up [N, F] f32 (rows strided), out [N, F] f32
Status check(const Call& c) {
  const View &gate = c.tensors[0], &up = c.tensors[1], &out = c.tensors[2];
  for (const View* v : {&gate, &up, &out}) {
    TRIMKV_REQUIRE(v->rank == 2, kShape, "[swiglu] wrong rank");
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[swiglu] wrong dtype");
    TRIMKV_REQUIRE(v->shape[0] == gate.shape[0] && v->shape[1] == gate.shape[1], kShape, "[swiglu] sizes differ");
    TRIMKV_REQUIRE(contiguous_from(*v, 1), kShape, "[swiglu] strided");
  }
  TRIMKV_REQUIRE(contiguous(out), kShape, "[swiglu] strided");
  return {};
}

Status run(const Call& c) {
  const View &gate = c.tensors[0], &up = c.tensors[1], &out = c.tensors[2];
  const int64_t width = gate.shape[1];
  parallel_rows(*c.pool, gate.shape[0], width, [&](int64_t n) {
    const float* g = data_of<float>(gate) + n * gate.stride[0];
    const float* u = data_of<float>(up) + n * up.stride[0];
    float* to = data_of<float>(out) + n * width;
    each_vec(width, [&](int64_t i, int64_t lanes) {
      const Vec v = load_some(g + i, lanes);
      store_some(to + i, v / (1.0f + exp(-v)) * load_some(u + i, lanes), lanes);
    });
  });
  return {};
}

TRIMKV_OP("swiglu", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
