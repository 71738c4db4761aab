#include "core/load.h"
#include "core/op.h"
#include "core/row-chunks.h"
#include "core/sigmoid.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x [N, H] f32 (rows strided), bias [H] or absent, dy [N, H] f32 (rows strided), out [N, H] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &bias = c.tensors[1], &dy = c.tensors[2], &out = c.tensors[3];
  for (const View* v : {&x, &dy, &out}) {
    TRIMKV_REQUIRE(v->rank == 2, kShape, "[logSigmoidGrad] wrong rank");
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[logSigmoidGrad] wrong dtype");
    TRIMKV_REQUIRE(v->shape[0] == x.shape[0] && v->shape[1] == x.shape[1], kShape, "[logSigmoidGrad] sizes differ");
    TRIMKV_REQUIRE(contiguous_from(*v, 1), kShape, "[logSigmoidGrad] strided");
  }
  TRIMKV_REQUIRE(contiguous(out), kShape, "[logSigmoidGrad] strided");
  if (!bias.present) return {};
  TRIMKV_REQUIRE(bias.rank == 1 && bias.shape[0] == x.shape[1] && contiguous(bias), kShape,
                 "[logSigmoidGrad] bias does not fit");
  TRIMKV_REQUIRE(is_float(bias.dtype), kDtype, "[logSigmoidGrad] wrong dtype");
  return {};
}

int64_t workspace(const Call& c) { return c.tensors[0].shape[1] * 4; }

Status run(const Call& c) {
  const View &x = c.tensors[0], &bias = c.tensors[1], &dy = c.tensors[2], &out = c.tensors[3];
  const int64_t width = x.shape[1];
  float* scratch = reinterpret_cast<float*>(c.workspace);
  const float* b = bias.present ? load_f32(bias.data, bias.dtype, width, scratch) : nullptr;
  parallel_rows(*c.pool, x.shape[0], width, [&](int64_t n) {
    const float* in = data_of<float>(x) + n * x.stride[0];
    const float* grad = data_of<float>(dy) + n * dy.stride[0];
    float* to = data_of<float>(out) + n * width;
    each_vec(width, [&](int64_t i, int64_t lanes) {
      const Vec v = load_some(in + i, lanes);
      const Vec z = b ? v + load_some(b + i, lanes) : v;
      store_some(to + i, load_some(grad + i, lanes) * sigmoid(z).complement, lanes);
    });
  });
  return {};
}

TRIMKV_OP("logSigmoidGrad", 4, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
