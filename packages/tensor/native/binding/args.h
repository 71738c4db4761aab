#pragma once
#include <napi.h>

#include <cmath>

#include "core/commands.h"
#include "core/extent.h"

namespace trimkv {

// Arguments by position. A value of the wrong JavaScript type throws; a number out of range gives a status.
inline uint32_t arg_u32(const Napi::CallbackInfo& info, size_t i) { return info[i].As<Napi::Number>().Uint32Value(); }
inline int32_t arg_i32(const Napi::CallbackInfo& info, size_t i) { return info[i].As<Napi::Number>().Int32Value(); }

inline Status to_int64(double value, int64_t& out) {
  TRIMKV_REQUIRE(value >= 0 && value <= 9007199254740991.0 && value == std::floor(value), kShape,
                 "a size, stride or offset is %g", value);
  out = static_cast<int64_t>(value);
  return {};
}

inline Status arg_int64(const Napi::CallbackInfo& info, size_t i, int64_t& out) {
  return to_int64(info[i].As<Napi::Number>().DoubleValue(), out);
}

template <typename T>
Status arg_array(const Napi::CallbackInfo& info, size_t i, napi_typedarray_type type, const T*& data, int64_t& length) {
  TRIMKV_REQUIRE(info[i].IsTypedArray(), kInvariant, "argument %d is not a typed array", static_cast<int>(i));
  const auto array = info[i].As<Napi::TypedArrayOf<T>>();
  TRIMKV_REQUIRE(array.TypedArrayType() == type, kInvariant, "argument %d is a typed array of another type",
                 static_cast<int>(i));
  data = array.Data();
  length = static_cast<int64_t>(array.ElementLength());
  return {};
}

// Words and scalars, from position `i` on.
inline Status arg_commands(const Napi::CallbackInfo& info, size_t i, CommandBuffer& out) {
  if (Status s = arg_array(info, i, napi_int32_array, out.words, out.word_count); !s.ok()) return s;
  return arg_array(info, i + 1, napi_float64_array, out.scalars, out.scalar_count);
}

inline Status arg_dtype(const Napi::CallbackInfo& info, size_t i, DType& out) {
  const uint32_t id = arg_u32(info, i);
  TRIMKV_REQUIRE(id <= static_cast<uint32_t>(DType::kF8), kDtype, "no dtype has the number %u", id);
  out = static_cast<DType>(id);
  return {};
}

// rank, Float64Array [sizes…] or, with `strided`, [sizes…, strides…]
inline Status arg_layout(const Napi::CallbackInfo& info, size_t i, bool strided, Layout& out) {
  const uint32_t rank = arg_u32(info, i);
  const double* values = nullptr;
  int64_t length = 0;
  if (Status s = arg_array(info, i + 1, napi_float64_array, values, length); !s.ok()) return s;
  TRIMKV_REQUIRE(rank <= kMaxRank, kShape, "a tensor has at most %d axes, got %u", kMaxRank, rank);
  TRIMKV_REQUIRE(length >= static_cast<int64_t>(strided ? 2 * rank : rank), kInvariant, "the layout is too short");
  out.rank = static_cast<int32_t>(rank);
  for (uint32_t axis = 0; axis < rank; axis++) {
    if (Status s = to_int64(values[axis], out.shape[axis]); !s.ok()) return s;
    if (!strided) continue;
    if (Status s = to_int64(values[rank + axis], out.stride[axis]); !s.ok()) return s;
  }
  return strided ? Status{} : make_contiguous(out);
}

}  // namespace trimkv
