#pragma once
#include <cstdint>

#include "core/load.h"
#include "core/simd.h"

// Dot products of a few rows of x with a few rows of the weight, all in registers.
//
// One order of summation for every caller: K is cut into blocks of kBlock; inside a block lane i of one vector
// accumulates elements i, i + W, i + 2W, …; the lanes are added by the tree of `sum`; blocks are added in order to 0.
// So a dot product has the same bits whatever tile, chunk or thread computes it.
namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kBlock = 1024;
constexpr int kTileRows = 4;
constexpr int kPanel = 6;  // columns of the output handled together

// Columns that fit the registers next to R rows: 24 accumulators of 32 with AVX-512, 12 of 16 elsewhere.
struct Yes {
  constexpr operator bool() const { return true; }
};
struct No {
  constexpr operator bool() const { return false; }
};

template <int R>
constexpr int kTileColumns = kWidth == 16 || R <= 2 ? kPanel : kPanel / 2;

// One block of `count` ≤ kBlock elements: sums[j][r] += x[r]·w[j].
template <int R, int C, typename T>
inline void add_block(const float* x, int64_t x_stride, const T* const* w, int64_t count, float (*sums)[kTileRows]) {
  Vec acc[C][R] = {};
  const auto step = [&](int64_t k, auto full) {
    const auto part = [&](const auto* from) {
      if constexpr (full) return load(from + k);
      return load_tail(from + k, count - k);
    };
    Vec row[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) row[r] = part(x + r * x_stride);
#pragma GCC unroll 8
    for (int j = 0; j < C; j++) {
      const Vec column = part(w[j]);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) acc[j][r] = fma(row[r], column, acc[j][r]);
    }
  };
  int64_t k = 0;
  for (; k + kWidth <= count; k += kWidth) step(k, Yes{});
  if (k < count) step(k, No{});
#pragma GCC unroll 8
  for (int j = 0; j < C; j++) {
    if constexpr (R == 1) {
      sums[j][0] += sum(acc[j][0]);
    } else {
      const Vec4 four = sum4(acc[j][0], acc[j][1], acc[j][R > 2 ? 2 : 1], acc[j][R > 3 ? 3 : 1]);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) sums[j][r] += four[r];
    }
  }
}

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
