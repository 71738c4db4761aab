#pragma once
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {

// sigmoid(x) and 1 − sigmoid(x), each right to a few units in its last place, however small.
struct Sigmoid {
  Vec value, complement;
};
static inline Sigmoid sigmoid(Vec x) {
  const Vec e = exp(x > 0.0f ? -x : x);
  const Vec large = 1.0f / (1.0f + e), small = e * large;
  return {x > 0.0f ? large : small, x > 0.0f ? small : large};
}

}  // namespace trimkv::TRIMKV_ISA
