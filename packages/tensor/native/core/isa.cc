#include "core/isa.h"

#if defined(__x86_64__) && !defined(TRIMKV_ONE_ISA)
#include <cpuid.h>
#endif

namespace trimkv {

#if defined(__x86_64__) && !defined(TRIMKV_ONE_ISA)
namespace {

struct Features {
  bool baseline, avx2, avx512;
};

// The processor may have registers that the operating system does not save: XCR0 tells.
uint64_t saved_registers() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

bool has(uint32_t word, std::initializer_list<int> bits) {
  for (int bit : bits) {
    if (((word >> bit) & 1U) == 0) return false;
  }
  return true;
}

Features detect() {
  uint32_t a = 0, b1 = 0, c1 = 0, d1 = 0, b7 = 0, c7 = 0, d7 = 0;
  Features f{};
  if (__get_cpuid(1, &a, &b1, &c1, &d1) == 0) return f;
  f.baseline = has(c1, {0 /* sse3 */, 9 /* ssse3 */, 13 /* cx16 */, 19 /* sse4.1 */, 20 /* sse4.2 */, 23 /* popcnt */});
  if (!has(c1, {27 /* osxsave */}) || __get_cpuid_count(7, 0, &a, &b7, &c7, &d7) == 0) return f;
  const uint64_t saved = saved_registers();
  const bool ymm = (saved & 0x6) == 0x6;
  const bool zmm = (saved & 0xe6) == 0xe6;
  f.avx2 = f.baseline && ymm && has(c1, {12 /* fma */, 28 /* avx */, 29 /* f16c */}) && has(b7, {5 /* avx2 */});
  f.avx512 = f.avx2 && zmm && has(b7, {16 /* f */, 17 /* dq */, 30 /* bw */, 31 /* vl */}) && has(c7, {11 /* vnni */});
  return f;
}

}  // namespace

bool isa_supported(Isa isa) {
  static const Features features = detect();
  if (isa == Isa::kAvx512) return features.avx512;
  if (isa == Isa::kAvx2) return features.avx2;
  return features.baseline;
}
#else
bool isa_supported(Isa isa) { return isa == Isa::kBaseline; }
#endif

}  // namespace trimkv
