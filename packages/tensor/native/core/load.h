#pragma once
#include <cstdint>

#include "core/simd.h"
#include "core/view.h"

namespace trimkv::TRIMKV_ISA {

// Calls body with a value of the element type of a float dtype: `visit_float(dtype, [&](auto type) {
// using T = decltype(type); … })`. The dtype must have been checked.
template <typename F>
static inline auto visit_float(DType dtype, F&& body) {
  switch (dtype) {
    case DType::kBf16:
      return body(Bf16{});
    case DType::kF16:
      return body(F16{});
    case DType::kF8:
      return body(F8{});
    default:
      return body(float{});
  }
}

// Converts a row of n elements; f32 → f32 copies. Rounds to nearest even when narrowing.
template <typename From, typename To>
static inline void convert_row(const From* from, To* to, int64_t n) {
  each_vec(n, [&](int64_t i, int64_t lanes) { store_some(to + i, load_some(from + i, lanes), lanes); });
}

// n elements of any float dtype as f32. No alignment is assumed.
static inline void widen_row(const void* from, DType dtype, int64_t n, float* to) {
  visit_float(dtype, [&](auto type) { convert_row(static_cast<const decltype(type)*>(from), to, n); });
}

// n f32 values into any float dtype, rounding to nearest even.
static inline void narrow_row(const float* from, DType dtype, int64_t n, void* to) {
  visit_float(dtype, [&](auto type) { convert_row(from, static_cast<decltype(type)*>(to), n); });
}

// `count` elements as f32: the data itself where it is f32 and aligned, else converted into `scratch`.
static inline const float* load_f32(const void* data, DType dtype, int64_t count, float* scratch) {
  const bool in_place = dtype == DType::kF32 && reinterpret_cast<uintptr_t>(data) % alignof(float) == 0;
  if (in_place) return static_cast<const float*>(data);
  widen_row(data, dtype, count, scratch);
  return scratch;
}

// Element i of a float dtype, for scalar epilogues.
static inline float element_f32(const void* data, DType dtype, int64_t i) {
  float value = 0;
  widen_row(static_cast<const char*>(data) + i * dtype_bytes(dtype), dtype, 1, &value);
  return value;
}

}  // namespace trimkv::TRIMKV_ISA
