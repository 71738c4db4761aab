#include "core/load.h"
#include "core/op.h"
#include "core/rms-scale.h"
#include "core/row-chunks.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x [N, C] f32 (rows strided), weight [C], dy [N, C] f32 (rows strided), out [N, C] f32; scalars: eps
Status check(const Call& c) {
  const View &x = c.tensors[0], &weight = c.tensors[1], &dy = c.tensors[2], &out = c.tensors[3];
  for (const View* v : {&x, &dy, &out}) {
    TRIMKV_REQUIRE(v->rank == 2, kShape, "[rmsNormGradInput] wrong rank");
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[rmsNormGradInput] wrong dtype");
    TRIMKV_REQUIRE(v->shape[0] == x.shape[0] && v->shape[1] == x.shape[1], kShape, "[rmsNormGradInput] sizes differ");
    TRIMKV_REQUIRE(contiguous_from(*v, 1), kShape, "[rmsNormGradInput] strided");
  }
  TRIMKV_REQUIRE(weight.rank == 1 && weight.shape[0] == x.shape[1], kShape, "[rmsNormGradInput] weight does not fit");
  TRIMKV_REQUIRE(is_float(weight.dtype), kDtype, "[rmsNormGradInput] wrong dtype");
  TRIMKV_REQUIRE(contiguous(out) && contiguous(weight), kShape, "[rmsNormGradInput] strided");
  return {};
}

int64_t workspace(const Call& c) { return c.tensors[1].shape[0] * 4; }

// Σ a[i]·b[i]·c[i] in f32, two accumulators.
float triple_dot(const float* a, const float* b, const float* c, int64_t n) {
  Vec even{}, odd{};
  int64_t i = 0;
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    even = fma(load(a + i) * load(b + i), load(c + i), even);
    odd = fma(load(a + i + kWidth) * load(b + i + kWidth), load(c + i + kWidth), odd);
  }
  each_vec(n - i, [&](int64_t j, int64_t lanes) {
    even = fma(load_some(a + i + j, lanes) * load_some(b + i + j, lanes), load_some(c + i + j, lanes), even);
  });
  return sum(even + odd);
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &weight = c.tensors[1], &dy = c.tensors[2], &out = c.tensors[3];
  const int64_t width = x.shape[1];
  const float eps = static_cast<float>(c.scalars[0]);
  const float* w = load_f32(weight.data, weight.dtype, width, reinterpret_cast<float*>(c.workspace));
  parallel_rows(*c.pool, x.shape[0], width, [&](int64_t n) {
    const float* in = data_of<float>(x) + n * x.stride[0];
    const float* grad = data_of<float>(dy) + n * dy.stride[0];
    float* to = data_of<float>(out) + n * width;
    const float scale = rms_scale(in, width, eps);
    const float pull = scale * scale * triple_dot(grad, w, in, width) / static_cast<float>(width);
    each_vec(width, [&](int64_t i, int64_t lanes) {
      const Vec g = load_some(grad + i, lanes) * load_some(w + i, lanes);
      store_some(to + i, scale * fma(load_some(in + i, lanes), broadcast(-pull), g), lanes);
    });
  });
  return {};
}

TRIMKV_OP("rmsNormGradInput", 4, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
