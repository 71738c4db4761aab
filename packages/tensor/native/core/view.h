#pragma once
#include <cstdint>

namespace trimkv {

enum class DType : int32_t { kF32 = 0, kBf16 = 1, kF16 = 2, kI32 = 3, kQ8 = 4, kQ4 = 5, kF8 = 6 };

constexpr int kMaxRank = 6;

// A window on a storage. `data` already points at the first element; strides are in elements.
// The handle table guarantees that every element of the shape lies inside its storage.
struct View {
  void* data;
  DType dtype;
  int32_t rank;
  int64_t shape[kMaxRank];
  int64_t stride[kMaxRank];
  bool writable;
  bool present;  // false for an optional tensor that was left out
};

static inline bool is_quantised(DType t) { return t == DType::kQ8 || t == DType::kQ4; }
static inline bool is_float(DType t) { return t != DType::kI32 && !is_quantised(t); }

// Bytes of one element; a quantised one has none of its own, see core/quantised.h.
static inline int64_t dtype_bytes(DType t) {
  switch (t) {
    case DType::kF8:
      return 1;
    case DType::kBf16:
    case DType::kF16:
      return 2;
    default:
      return 4;
  }
}

static inline int64_t element_count(const View& v) {
  int64_t n = 1;
  for (int i = 0; i < v.rank; i++) n *= v.shape[i];
  return n;
}

// Whether axes `from`… lie in row-major order without gaps (axes of size 1 may have any stride).
static inline bool contiguous_from(const View& v, int from) {
  int64_t step = 1;
  for (int i = v.rank - 1; i >= from; i--) {
    if (v.shape[i] != 1 && v.shape[i] != 0 && v.stride[i] != step) return false;
    step *= v.shape[i];
  }
  return true;
}
static inline bool contiguous(const View& v) { return contiguous_from(v, 0); }

template <typename T>
static inline T* data_of(const View& v) {
  return static_cast<T*>(v.data);
}

}  // namespace trimkv
