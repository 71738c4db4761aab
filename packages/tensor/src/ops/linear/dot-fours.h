#pragma once
#include <cstdint>

#include "core/quantised.h"
#include "core/simd.h"

// Lane-wise dot products of four bytes: the heart of `linear` with quantised weights. Integers, so every instruction set
// gives the same sums.
namespace trimkv::TRIMKV_ISA {
namespace {

// Vectors that hold a group of four elements of all 16 rows of a panel.
constexpr int kParts = kQuantRows / kWidth;

#if defined(__AVX512VNNI__)
constexpr bool kUnsignedWeights = true;  // the instruction takes unsigned · signed
#else
constexpr bool kUnsignedWeights = false;
#endif

using Bytes = int8_t __attribute__((vector_size(kWidth * 4)));

static inline VecI four_of(const int8_t* four) {
  int32_t word;
  __builtin_memcpy(&word, four, sizeof(word));
  return word - VecI{};
}

// acc[lane] += Σ_i w[4·lane + i] · a[4·lane + i] with unsigned w ≤ 255, or ≤ 127 without VNNI.
static inline VecI add_unsigned_fours(VecI acc, VecI w, VecI a) {
#if defined(__AVX512VNNI__)
  return bits_as<VecI>(_mm512_dpbusd_epi32(bits_as<__m512i>(acc), bits_as<__m512i>(w), bits_as<__m512i>(a)));
#elif defined(__AVX2__)
  const __m256i pairs = _mm256_maddubs_epi16(bits_as<__m256i>(w), bits_as<__m256i>(a));
  return acc + bits_as<VecI>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#elif defined(__SSSE3__)
  const __m128i pairs = _mm_maddubs_epi16(bits_as<__m128i>(w), bits_as<__m128i>(a));
  return acc + bits_as<VecI>(_mm_madd_epi16(pairs, _mm_set1_epi16(1)));
#else
  const Bytes u = bits_as<Bytes>(w), s = bits_as<Bytes>(a);
  for (int lane = 0; lane < kWidth; lane++) {
    for (int i = 4 * lane; i < 4 * lane + 4; i++) acc[lane] += static_cast<uint8_t>(u[i]) * s[i];
  }
  return acc;
#endif
}

// The same with signed w. Without VNNI |w| · ±a: a pair sums to at most 2 · 128 · 127, which fits 16 bits.
static inline VecI add_signed_fours(VecI acc, VecI w, VecI a) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  const __m256i size = _mm256_abs_epi8(bits_as<__m256i>(w));
  return add_unsigned_fours(acc, bits_as<VecI>(size),
                            bits_as<VecI>(_mm256_sign_epi8(bits_as<__m256i>(a), bits_as<__m256i>(w))));
#elif defined(__SSSE3__) && !defined(__AVX2__)
  const __m128i size = _mm_abs_epi8(bits_as<__m128i>(w));
  return add_unsigned_fours(acc, bits_as<VecI>(size),
                            bits_as<VecI>(_mm_sign_epi8(bits_as<__m128i>(a), bits_as<__m128i>(w))));
#else
  const Bytes s = bits_as<Bytes>(w), t = bits_as<Bytes>(a);
  for (int lane = 0; lane < kWidth; lane++) {
    for (int i = 4 * lane; i < 4 * lane + 4; i++) acc[lane] += s[i] * t[i];
  }
  return acc;
#endif
}

// What the two formats have in common: `group` gives four elements of each row, as `add` takes them, too large by
// kOffset.
struct Q8 {
  static constexpr DType kType = DType::kQ8;
  static constexpr int kOffset = kUnsignedWeights ? 128 : 0;

  static VecI group(const char* values, int g) {
    const VecI w = load_bits<VecI>(values + 64 * g);
    return kUnsignedWeights ? w ^ static_cast<int32_t>(0x80808080u) : w;
  }
  static VecI add(VecI acc, VecI w, VecI a) {
    return kUnsignedWeights ? add_unsigned_fours(acc, w, a) : add_signed_fours(acc, w, a);
  }
};

struct Q4 {
  static constexpr DType kType = DType::kQ4;
  static constexpr int kOffset = 8;

  static VecI group(const char* values, int g) {
    const VecI both = load_bits<VecI>(values + 64 * (g % 4));
    return (g < 4 ? both : both >> 4) & 0x0f0f0f0f;
  }
  static VecI add(VecI acc, VecI w, VecI a) { return add_unsigned_fours(acc, w, a); }
};

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
