#pragma once
#include <cstdint>

#include "core/op.h"

// The tables of a bounded cache: per sequence [B], per head [B, H], per slot [B, H, cap], rows [B, H, cap, W].
// Outer axes may have any stride (a table may be one seat of a larger one); rows and columns are dense.
namespace trimkv::TRIMKV_ISA {

struct SlotSizes {
  int64_t B, H, cap;

  int64_t heads() const { return B * H; }
};

// Of a [B, H, cap, …] table.
static inline SlotSizes slot_sizes(const View& v) { return {v.shape[0], v.shape[1], v.shape[2]}; }

static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Whether a scalar is an integer of at least `low` that fits an int64_t.
static inline bool is_whole(double x, double low) {
  return x >= low && x <= 0x1p53 && x == static_cast<double>(static_cast<int64_t>(x));
}

template <typename... Sizes>
static inline bool has_shape(const View& v, Sizes... sizes) {
  const int64_t wanted[] = {static_cast<int64_t>(sizes)...};
  if (v.rank != static_cast<int32_t>(sizeof...(sizes))) return false;
  for (int i = 0; i < v.rank; i++) {
    if (v.shape[i] != wanted[i]) return false;
  }
  return true;
}

static inline bool is_per_sequence(const View& v, const SlotSizes& s) {
  return v.dtype == DType::kI32 && has_shape(v, s.B);
}
static inline bool is_per_head(const View& v, const SlotSizes& s) {
  return v.dtype == DType::kI32 && has_shape(v, s.B, s.H);
}
static inline bool is_column(const View& v, DType dtype, const SlotSizes& s) {
  return v.dtype == dtype && has_shape(v, s.B, s.H, s.cap) && contiguous_from(v, 2);
}
static inline bool is_slot_rows(const View& v, const SlotSizes& s, int64_t width) {
  return is_float(v.dtype) && has_shape(v, s.B, s.H, s.cap, width) && contiguous_from(v, 3);
}

// Entry of a [B] or [B, H] table.
static inline int32_t& entry(const View& v, int64_t b) { return data_of<int32_t>(v)[b * v.stride[0]]; }
static inline int32_t& entry(const View& v, int64_t b, int64_t h) {
  return data_of<int32_t>(v)[b * v.stride[0] + h * v.stride[1]];
}

// First slot of a head in a [B, H, cap, …] table.
template <typename T>
static inline T* head_slots(const View& v, int64_t b, int64_t h) {
  return data_of<T>(v) + (b * v.stride[0] + h * v.stride[1]);
}

// One head of a slot table seen as bytes, for moving rows of any dtype.
struct ByteRows {
  char* data;
  int64_t stride, bytes;

  char* row(int64_t slot) const { return data + slot * stride; }
};
static inline ByteRows byte_rows(const View& v, int64_t b, int64_t h) {
  const int64_t size = dtype_bytes(v.dtype), width = v.rank == 4 ? v.shape[3] : 1;
  char* data = static_cast<char*>(v.data) + (b * v.stride[0] + h * v.stride[1]) * size;
  return {data, v.stride[2] * size, width * size};
}

// Data-dependent: every head stores 0 … cap slots.
static inline Status counts_within(const char* op, const View& count, const SlotSizes& s) {
  for (int64_t b = 0; b < s.B; b++) {
    for (int64_t h = 0; h < s.H; h++) {
      const int32_t n = entry(count, b, h);
      TRIMKV_REQUIRE(n >= 0 && n <= s.cap, kInvariant, "[%s] sequence %d, head %d stores %d slots of %lld", op,
                     static_cast<int>(b), static_cast<int>(h), n, static_cast<long long>(s.cap));
    }
  }
  return {};
}

// The survivors of one head as `select` writes them: ascending slots, then −1.
struct Kept {
  const int32_t* slots;
  int64_t count;  // −1: not ascending, or a slot outside the stored ones
};
static inline Kept kept_slots(const View& kept, int64_t b, int64_t h, int64_t stored) {
  const int32_t* slots = head_slots<int32_t>(kept, b, h);
  const int64_t budget = kept.shape[2];
  int64_t n = 0;
  for (; n < budget && slots[n] >= 0; n++) {
    if (slots[n] >= stored || (n > 0 && slots[n] <= slots[n - 1])) return {slots, -1};
  }
  for (int64_t i = n; i < budget; i++) {
    if (slots[i] != -1) return {slots, -1};
  }
  return {slots, n};
}

// Data-dependent: every head's survivors are ascending slots among its stored ones.
static inline Status kept_within(const char* op, const View& kept, const View& count) {
  for (int64_t b = 0; b < kept.shape[0]; b++) {
    for (int64_t h = 0; h < kept.shape[1]; h++) {
      const int32_t stored = entry(count, b, h);
      TRIMKV_REQUIRE(kept_slots(kept, b, h, stored).count >= 0, kInvariant,
                     "[%s] kept slots of sequence %d, head %d are not ascending slots below %d", op, static_cast<int>(b),
                     static_cast<int>(h), stored);
    }
  }
  return {};
}

}  // namespace trimkv::TRIMKV_ISA
