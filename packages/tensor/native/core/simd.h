#pragma once
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// The one vector layer of the kernels: GCC vector extensions, as wide as the instruction set the file is compiled for.
// `Vec` supports + − * / and comparisons directly; a comparison gives a `VecI` mask for `mask ? a : b`.
// Every load and store may be unaligned. Everything has internal linkage, see core/status.h.
namespace trimkv::TRIMKV_ISA {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
#if !defined(__FMA__) || !defined(__F16C__)
#error "the avx2 level needs -mavx2 -mfma -mf16c"
#endif
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

using Vec = float __attribute__((vector_size(kWidth * 4)));
using VecI = int32_t __attribute__((vector_size(kWidth * 4)));
using VecU = uint32_t __attribute__((vector_size(kWidth * 4)));
using VecH = uint16_t __attribute__((vector_size(kWidth * 2)));
using VecB = uint8_t __attribute__((vector_size(kWidth)));
using Vec4 = float __attribute__((vector_size(16)));
#if defined(__AVX2__)
using Vec8 = float __attribute__((vector_size(32)));
#endif

// Storage formats: element types of weights and caches. Arithmetic is always in f32.
struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};
struct F8 {
  uint8_t bits;  // sign, 4 bits of exponent (bias 7), 3 of fraction; no infinity, all ones is NaN (OCP E4M3)
};

template <typename To, typename From>
static inline To bits_as(From from) {
  return __builtin_bit_cast(To, from);
}

template <typename V, typename T>
static inline V load_bits(const T* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof(V));
  return v;
}

static inline Vec broadcast(float x) { return x - Vec{}; }  // x − 0 keeps −0

// ---- conversions, all exact or round-to-nearest-even ----

// Zero extension u16 → u32; GCC 12 splits the generic form into halves.
static inline VecU widen_u16(VecH h) {
#if defined(__AVX512F__)
  return bits_as<VecU>(_mm512_maskz_cvtepu16_epi32(0xffff, bits_as<__m256i>(h)));
#elif defined(__AVX2__)
  return bits_as<VecU>(_mm256_cvtepu16_epi32(bits_as<__m128i>(h)));
#else
  return __builtin_convertvector(h, VecU);
#endif
}

static inline Vec widen_bf16(VecH h) { return bits_as<Vec>(widen_u16(h) << 16); }

static inline VecH narrow_bf16(Vec v) {
  const VecU u = bits_as<VecU>(v);
  const VecU rounded = u + 0x7fffu + ((u >> 16) & 1u);
  return __builtin_convertvector((v == v ? rounded : (u | 0x400000u)) >> 16, VecH);
}

#if defined(__AVX512F__)
// The zero-masking forms with a full mask: GCC 12 warns about its own header for the plain ones.
static inline Vec widen_f16(VecH h) { return _mm512_maskz_cvtph_ps(0xffff, bits_as<__m256i>(h)); }
static inline VecH narrow_f16(Vec v) {
  return bits_as<VecH>(_mm512_maskz_cvtps_ph(0xffff, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#elif defined(__AVX2__)
static inline Vec widen_f16(VecH h) { return _mm256_cvtph_ps(bits_as<__m128i>(h)); }
static inline VecH narrow_f16(Vec v) {
  return bits_as<VecH>(_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#else
// Exponent and fraction move into place, then one exact multiplication by 2^112 rebiases normal and subnormal alike.
static inline Vec widen_f16(VecH half) {
  const VecU h = widen_u16(half);
  const VecU magnitude = (h & 0x7fffu) << 13;
  const VecU finite = bits_as<VecU>(bits_as<Vec>(magnitude) * 0x1p112f);
  const VecU quiet = magnitude > 0x0f800000u ? VecU{} + 0x400000u : VecU{};
  const VecU value = magnitude >= 0x0f800000u ? (magnitude | 0x7f800000u | quiet) : finite;
  return bits_as<Vec>(value | ((h & 0x8000u) << 16));
}

// Below 2^-14 the addition of 0.5 rounds to the subnormal step 2^-24; above it the integer carry rounds.
static inline VecH narrow_f16(Vec v) {
  const VecU u = bits_as<VecU>(v);
  const VecU magnitude = u & 0x7fffffffu;
  const VecU subnormal = bits_as<VecU>(bits_as<Vec>(magnitude) + 0.5f) - 0x3f000000u;
  const VecU normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  const VecU nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  const VecU large = magnitude > 0x7f800000u ? nan : VecU{} + 0x7c00u;
  const VecU finite = magnitude < 0x38800000u ? subnormal : normal;
  return __builtin_convertvector((magnitude >= 0x47800000u ? large : finite) | ((u >> 16) & 0x8000u), VecH);
}
#endif

// An f8 is an f16 of the same fraction whose exponent is 8 too small; the product with 2^8 is exact.
static inline Vec widen_f8(VecB b) {
  const VecH h = __builtin_convertvector(b, VecH);
  const VecH sign = (h & 0x80) << 8, magnitude = (h & 0x7f) << 7;
  return widen_f16(sign | (magnitude == 0x3f80 ? VecH{} + 0x7e00 : magnitude)) * 0x1p8f;
}

// Saturates at ±448. Below 2^-6 the addition of 2^14 rounds to the subnormal step 2^-9; above it the integer carry rounds.
static inline VecB narrow_f8(Vec v) {
  const VecU u = bits_as<VecU>(v), exact = u & 0x7fffffffu;
  const VecU magnitude = exact > 0x43e00000u ? VecU{} + 0x43e00000u : exact;
  const VecU subnormal = bits_as<VecU>(bits_as<Vec>(magnitude) + 0x1p14f) - 0x46800000u;
  const VecU normal = (magnitude - 0x3c000000u + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20;
  const VecU finite = magnitude < 0x3c800000u ? subnormal : normal;
  return __builtin_convertvector((exact >= 0x7f800000u ? VecU{} + 0x7fu : finite) | ((u >> 24) & 0x80u), VecB);
}

// ---- loads and stores of one vector ----

static inline Vec load(const float* from) { return load_bits<Vec>(from); }
static inline Vec load(const Bf16* from) { return widen_bf16(load_bits<VecH>(from)); }
static inline Vec load(const F16* from) { return widen_f16(load_bits<VecH>(from)); }
static inline Vec load(const F8* from) { return widen_f8(load_bits<VecB>(from)); }

static inline void store(float* to, Vec v) { __builtin_memcpy(to, &v, sizeof(v)); }
static inline void store(Bf16* to, Vec v) {
  const VecH h = narrow_bf16(v);
  __builtin_memcpy(to, &h, sizeof(h));
}
static inline void store(F16* to, Vec v) {
  const VecH h = narrow_f16(v);
  __builtin_memcpy(to, &h, sizeof(h));
}
static inline void store(F8* to, Vec v) {
  const VecB b = narrow_f8(v);
  __builtin_memcpy(to, &b, sizeof(b));
}

// The first `count` < kWidth elements; the other lanes are zero and their memory is not touched.
template <typename T>
static inline Vec load_tail(const T* from, int64_t count) {
  T lanes[kWidth] = {};
  __builtin_memcpy(lanes, from, static_cast<uint64_t>(count) * sizeof(T));
  return load(lanes);
}
template <typename T>
static inline void store_tail(T* to, Vec v, int64_t count) {
  T lanes[kWidth];
  store(lanes, v);
  __builtin_memcpy(to, lanes, static_cast<uint64_t>(count) * sizeof(T));
}

// Calls body(i, lanes) for every vector of a row of n elements: lanes = kWidth except for the last one.
// `load_some` and `store_some` pick the full or the partial form.
template <typename F>
static inline void each_vec(int64_t n, F&& body) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) body(i, int64_t{kWidth});
  if (i < n) body(i, n - i);
}
template <typename T>
static inline Vec load_some(const T* from, int64_t lanes) {
  return lanes == kWidth ? load(from) : load_tail(from, lanes);
}
// As load_some, with the lanes beyond the row taken from `other`.
static inline Vec load_or(const float* from, int64_t lanes, Vec other) {
  if (lanes == kWidth) return load(from);
  float all[kWidth];
  store(all, other);
  __builtin_memcpy(all, from, static_cast<uint64_t>(lanes) * sizeof(float));
  return load(all);
}
template <typename T>
static inline void store_some(T* to, Vec v, int64_t lanes) {
  if (lanes == kWidth) {
    store(to, v);
  } else {
    store_tail(to, v, lanes);
  }
}

// ---- arithmetic ----

// a·b + c, rounded once where the instruction set can.
static inline Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

// Lane-wise; where either is NaN the result is b.
static inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

// Lane sums of four vectors, each by the same halving tree as `sum`: (i, i + W/2), (i, i + W/4), …
static inline Vec4 sum4(Vec a, Vec b, Vec c, Vec d) {
#if defined(__AVX512F__)
  const Vec ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                 __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  const Vec cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                 __builtin_shufflevector(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  const Vec fours = __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                    __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  const Vec twos =
      fours + __builtin_shufflevector(fours, fours, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  const Vec ones = twos + __builtin_shufflevector(twos, twos, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
  return __builtin_shufflevector(ones, ones, 0, 4, 8, 12);
#elif defined(__AVX2__)
  const Vec ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
                 __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  const Vec cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 8, 9, 10, 11) +
                 __builtin_shufflevector(c, d, 4, 5, 6, 7, 12, 13, 14, 15);
  const Vec acbd = __builtin_shufflevector(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13) +
                   __builtin_shufflevector(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
  const Vec ones = acbd + __builtin_shufflevector(acbd, acbd, 1, 0, 3, 2, 5, 4, 7, 6);
  return __builtin_shufflevector(ones, ones, 0, 4, 2, 6);
#else
  const Vec ab = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
  const Vec cd = __builtin_shufflevector(c, d, 0, 1, 4, 5) + __builtin_shufflevector(c, d, 2, 3, 6, 7);
  return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
#endif
}

// Combines the lanes of one vector by halves: (i, i + W/2), (i, i + W/4), … — one fixed order.
template <typename Op>
static inline float reduce(Vec v, Op op) {
#if defined(__AVX512F__)
  const Vec8 eights = op(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
                         __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
#elif defined(__AVX2__)
  const Vec8 eights = v;
#endif
#if defined(__AVX2__)
  const Vec4 fours = op(__builtin_shufflevector(eights, eights, 0, 1, 2, 3),
                        __builtin_shufflevector(eights, eights, 4, 5, 6, 7));
#else
  const Vec4 fours = v;
#endif
  return op(op(fours[0], fours[2]), op(fours[1], fours[3]));
}
static inline float sum(Vec v) {
  return reduce(v, [](auto a, auto b) { return a + b; });
}
static inline float max_lane(Vec v) {
  return reduce(v, [](auto a, auto b) { return a > b ? a : b; });
}

// Σ of many vectors in f64.
struct WideSum {
  using Half = float __attribute__((vector_size(kWidth * 2)));
  using Wide = double __attribute__((vector_size(kWidth * 4)));
  Wide low = {}, high = {};

  void add(Vec v) {
    float lanes[kWidth];
    store(lanes, v);
    low += __builtin_convertvector(load_bits<Half>(lanes), Wide);
    high += __builtin_convertvector(load_bits<Half>(lanes + kWidth / 2), Wide);
  }
  double total() const {
    const Wide both = low + high;
    double sum = 0;
    for (int i = 0; i < kWidth / 2; i++) sum += both[i];
    return sum;
  }
};

// Σ a[i]·b[i] in f32, four accumulators: one order for a given n.
template <typename A, typename B>
static inline float dot(const A* a, const B* b, int64_t n) {
  Vec s0{}, s1{}, s2{}, s3{};
  int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    s0 = fma(load(a + i), load(b + i), s0);
    s1 = fma(load(a + i + kWidth), load(b + i + kWidth), s1);
    s2 = fma(load(a + i + 2 * kWidth), load(b + i + 2 * kWidth), s2);
    s3 = fma(load(a + i + 3 * kWidth), load(b + i + 3 * kWidth), s3);
  }
  for (; i + kWidth <= n; i += kWidth) s0 = fma(load(a + i), load(b + i), s0);
  if (i < n) s1 = fma(load_tail(a + i, n - i), load_tail(b + i, n - i), s1);
  return sum((s0 + s1) + (s2 + s3));
}

// e^x, error below 2 ulp; −inf → 0, overflow → +inf, results below 2^-126 are subnormal, NaN → NaN.
static inline Vec exp(Vec x) {
  const Vec low = broadcast(-105.0f), high = broadcast(89.0f);
  x = x < low ? low : x;
  x = x > high ? high : x;
  // Adding 1.5·2^23 leaves round(x/ln 2) in the low bits.
  const Vec shift = broadcast(0x1.8p23f);
  const Vec shifted = fma(x, broadcast(0x1.715476p0f), shift);
  const Vec n = shifted - shift;
  Vec r = fma(n, broadcast(-0x1.62e4p-1f), x);
  r = fma(n, broadcast(-0x1.7f7d1cp-20f), r);
  Vec p = broadcast(0x1.6850e4p-10f);
  p = fma(p, r, broadcast(0x1.123bccp-7f));
  p = fma(p, r, broadcast(0x1.555b98p-5f));
  p = fma(p, r, broadcast(0x1.55548ep-3f));
  p = fma(p, r, broadcast(0x1.fffff8p-2f));
  p = fma(p * r, r, r) + 1.0f;
  // 2^n in two factors: each stays normal, and only the last product rounds.
  const VecI whole = bits_as<VecI>(shifted) - bits_as<VecI>(shift);
  const VecI half = whole >> 1;
  const Vec first = bits_as<Vec>((half + 127) << 23), second = bits_as<Vec>((whole - half + 127) << 23);
  return (p * first) * second;
}

}  // namespace trimkv::TRIMKV_ISA
