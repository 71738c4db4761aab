#include <cmath>

#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kChunk = 16384;

// param, m, v, grad: contiguous f32 of one shape; control [4] f32; scalars: β1, β2, eps, weight decay
Status check(const Call& c) {
  const View &param = c.tensors[0], &control = c.tensors[4];
  for (int i = 0; i < 4; i++) {
    const View& v = c.tensors[i];
    TRIMKV_REQUIRE(v.dtype == DType::kF32, kDtype, "[adamw] wrong dtype");
    TRIMKV_REQUIRE(v.rank == param.rank && contiguous(v), kShape, "[adamw] wrong rank, or strided");
    for (int axis = 0; axis < v.rank; axis++) {
      TRIMKV_REQUIRE(v.shape[axis] == param.shape[axis], kShape, "[adamw] sizes differ");
    }
  }
  TRIMKV_REQUIRE(control.dtype == DType::kF32, kDtype, "[adamw] wrong dtype");
  TRIMKV_REQUIRE(control.rank == 1 && control.shape[0] == 4 && contiguous(control), kShape,
                 "[adamw] control has four elements");
  return {};
}

// The numbers of a step, in the order in which they are used.
struct Step {
  float grad_scale, keep_m, take_m, keep_v, take_v, decay, rate, correction, eps;
};

Step read_step(const Call& c) {
  const float* control = data_of<float>(c.tensors[4]);
  const double beta1 = c.scalars[0], beta2 = c.scalars[1], rate = static_cast<double>(control[0]);
  const double correction1 = static_cast<double>(control[2]), correction2 = static_cast<double>(control[3]);
  return {control[1],
          static_cast<float>(beta1),
          static_cast<float>(1 - beta1),
          static_cast<float>(beta2),
          static_cast<float>(1 - beta2),
          static_cast<float>(rate * c.scalars[3]),
          static_cast<float>(rate / correction1),
          static_cast<float>(1 / correction2),
          static_cast<float>(c.scalars[2])};
}

struct Arrays {
  float *param, *m, *v;
  const float* grad;
};

void update(const Arrays& a, int64_t first, int64_t size, const Step& step) {
  float *param = a.param + first, *m = a.m + first, *v = a.v + first;
  const float* grad = a.grad + first;
  for (int64_t i = 0; i < size; i++) {
    const float g = step.grad_scale * grad[i];
    m[i] = step.keep_m * m[i] + step.take_m * g;
    v[i] = step.keep_v * v[i] + step.take_v * (g * g);
    const float kept = param[i] - step.decay * param[i];
    param[i] = kept - step.rate * m[i] / (std::sqrt(v[i] * step.correction) + step.eps);
  }
}

Status run(const Call& c) {
  const Step step = read_step(c);
  const Arrays arrays = {data_of<float>(c.tensors[0]), data_of<float>(c.tensors[1]), data_of<float>(c.tensors[2]),
                         data_of<float>(c.tensors[3])};
  const int64_t count = element_count(c.tensors[0]);
  auto part = [&](int64_t chunk) {
    const int64_t first = chunk * kChunk;
    update(arrays, first, count - first < kChunk ? count - first : kChunk, step);
  };
  parallel_for(*c.pool, (count + kChunk - 1) / kChunk, part);
  return {};
}

TRIMKV_OP("adamw", 5, 4, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
