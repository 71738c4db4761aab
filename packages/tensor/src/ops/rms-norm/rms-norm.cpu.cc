#include "core/load.h"
#include "core/op.h"
#include "core/rms-scale.h"
#include "core/row-chunks.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x [N, C] f32 (rows strided), weight [C], out [N, C]; scalars: eps
Status check(const Call& c) {
  const View &x = c.tensors[0], &weight = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(x.rank == 2 && out.rank == 2 && weight.rank == 1, kShape, "[rmsNorm] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32 && is_float(weight.dtype), kDtype,
                 "[rmsNorm] wrong dtype");
  TRIMKV_REQUIRE(x.shape[0] == out.shape[0] && x.shape[1] == out.shape[1] && weight.shape[0] == x.shape[1], kShape,
                 "[rmsNorm] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous(out) && contiguous(weight), kShape, "[rmsNorm] strided");
  return {};
}

int64_t workspace(const Call& c) { return c.tensors[1].shape[0] * 4; }

Status run(const Call& c) {
  const View &x = c.tensors[0], &weight = c.tensors[1], &out = c.tensors[2];
  const int64_t width = x.shape[1];
  const float eps = static_cast<float>(c.scalars[0]);
  const float* w = load_f32(weight.data, weight.dtype, width, reinterpret_cast<float*>(c.workspace));
  parallel_rows(*c.pool, x.shape[0], width, [&](int64_t n) {
    const float* in = data_of<float>(x) + n * x.stride[0];
    float* to = data_of<float>(out) + n * width;
    const float scale = rms_scale(in, width, eps);
    each_vec(width, [&](int64_t i, int64_t lanes) {
      store_some(to + i, load_some(in + i, lanes) * scale * load_some(w + i, lanes), lanes);
    });
  });
  return {};
}

TRIMKV_OP("rmsNorm", 3, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
