#pragma once
#include <cstdint>

// The one order of slots: by score, on a tie the newer token first.
namespace trimkv::TRIMKV_ISA {

// Orders (score, index) pairs as integers: −0 equals 0 and NaN equals −inf.
static inline uint64_t key_of(float score, int32_t index) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, (score == score ? score : -__builtin_inff()) + 0.0f);
  const uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return static_cast<uint64_t>(ordered) << 32 | (static_cast<uint32_t>(index) ^ 0x80000000u);
}

// The k-th largest of n keys, k ≥ 1: byte by byte from the top, keeping the keys that share it. Reorders the keys.
static inline uint64_t kth_largest(uint64_t* keys, int64_t n, int64_t k) {
  for (int shift = 56; shift >= 0 && n > 1; shift -= 8) {
    int64_t counts[256] = {};
    for (int64_t i = 0; i < n; i++) counts[keys[i] >> shift & 255]++;
    uint64_t digit = 255;
    while (counts[digit] < k) k -= counts[digit--];
    int64_t same = 0;
    for (int64_t i = 0; i < n; i++) {
      if ((keys[i] >> shift & 255) == digit) keys[same++] = keys[i];
    }
    n = same;
  }
  return keys[0];
}

}  // namespace trimkv::TRIMKV_ISA
