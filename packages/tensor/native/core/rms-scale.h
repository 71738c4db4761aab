#pragma once
#include <cmath>

#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {

// 1 / sqrt(mean(x²) + eps) of a row: one definition, so that gradients scale by the bits of the forward pass.
static inline float rms_scale(const float* x, int64_t width, float eps) {
  const float mean = dot(x, x, width) / static_cast<float>(width);
  return 1.0f / std::sqrt(mean + eps);
}

}  // namespace trimkv::TRIMKV_ISA
