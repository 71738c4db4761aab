#pragma once
#include <cstdint>

#include "core/load.h"
#include "core/simd.h"

// Dot products of a few rows of x with a few rows of the weight, all in registers.
//
// There is one order of summation. K is cut into blocks of kBlock; inside a block lane i accumulates elements
// i, i + W, i + 2W, … with one fused multiply-add each; the lanes are added by the tree of `sum`; the sums of the
// blocks are added in order. So a dot product has the same bits in whatever tile, chunk or thread it is computed.
namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kBlock = 1024;
constexpr int kTileRows = 4;
constexpr int kPanel = 6;  // rows of the weight, that is columns of the output, handled together

// Columns whose accumulators fit the registers next to R rows: 24 of 32 with AVX-512, 12 of 16 elsewhere.
template <int R>
constexpr int kTileColumns = kWidth == 16 || R <= 2 ? kPanel : kPanel / 2;

// A rectangle of the output. How it is cut depends on shapes alone, and no result depends on it.
struct Part {
  int64_t row, row_end, column, column_end;
};

// What a tile brings into cache for later, a little at each step so that arithmetic hides the latency.
struct Ahead {
  uintptr_t from[kPanel];
  int64_t step;  // bytes per vector of elements
};

// One block of `count` ≤ kBlock elements: sums[j][r] = x[r] · w[j]. `from`, `step`: of Ahead, used if kFetch.
template <int R, int C, bool kFetch, typename T>
[[gnu::noinline]] void block_dots(const float* x, int64_t x_stride, const T* const* w, int64_t count,
                                  [[maybe_unused]] const uintptr_t* from, [[maybe_unused]] int64_t step,
                                  float (*sums)[kTileRows]) {
  Vec acc[C][R] = {};
  [[maybe_unused]] uintptr_t passed = 0;
  const auto add = [&](int64_t k, int64_t lanes) __attribute__((always_inline)) {
    Vec row[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) row[r] = load_some(x + r * x_stride + k, lanes);
#pragma GCC unroll 8
    for (int j = 0; j < C; j++) {
      const Vec column = load_some(w[j] + k, lanes);
      if constexpr (kFetch) __builtin_prefetch(reinterpret_cast<const void*>(from[j] + passed));
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) acc[j][r] = fma(row[r], column, acc[j][r]);
    }
    if constexpr (kFetch) passed += static_cast<uintptr_t>(step);
  };
  int64_t k = 0;
  for (; k + kWidth <= count; k += kWidth) add(k, kWidth);
  if (k < count) add(k, count - k);
  // Four sums at a time: of four columns for a single row, else of the rows of one column.
#pragma GCC unroll 8
  for (int j = 0; j < C; j += R == 1 ? 4 : 1) {
    if constexpr (R == 1) {
      const auto at = [&](int i) { return acc[j + i < C ? j + i : C - 1][0]; };
      const Vec4 four = sum4(at(0), at(1), at(2), at(3));
      for (int i = 0; i < 4 && j + i < C; i++) sums[j + i][0] = four[i];
    } else {
      const Vec4 four = sum4(acc[j][0], acc[j][1], acc[j][R > 2 ? 2 : 1], acc[j][R > 3 ? 3 : 1]);
      for (int r = 0; r < R; r++) sums[j][r] = four[r];
    }
  }
}

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
