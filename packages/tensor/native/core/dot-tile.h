#pragma once
#include <cstdint>

#include "core/simd.h"

// Many dot products at once. Each product adds in one order, whatever its neighbours are: one accumulator per lane over
// the depth, then the tree of `sum`. So results do not depend on how rows are blocked.
namespace trimkv::TRIMKV_ISA {

template <typename T>
struct Rows {
  const T* data;
  int64_t stride;

  const T* row(int64_t i) const { return data + i * stride; }
  Rows from(int64_t i) const { return {row(i), stride}; }
};

// to[r · to_stride + j] = a_r · b_j over `depth` elements.
template <typename A, typename B>
struct DotTile {
  Rows<A> a;
  Rows<B> b;
  int64_t depth;
  float* to;
  int64_t to_stride;

  DotTile from(int64_t r, int64_t j) const { return {a.from(r), b.from(j), depth, to + r * to_stride + j, to_stride}; }
};

// Rows of a whose products share registers: more fit into the 32 registers of AVX-512.
constexpr int kDotRows = kWidth == 16 ? 6 : 3;

// The R·N products of R rows of a with N rows of b; N is 1 or a multiple of four. Tail: the depth is no multiple of kWidth.
template <int R, int N, bool Tail, typename A, typename B>
static inline void dot_block(const DotTile<A, B>& t) {
  Vec acc[R][N];
  for (int r = 0; r < R; r++) {
    for (int j = 0; j < N; j++) acc[r][j] = Vec{};
  }
  auto step = [&](auto load_lanes) {
    Vec left[R];
    for (int r = 0; r < R; r++) left[r] = load_lanes(t.a.row(r));
    for (int j = 0; j < N; j++) {
      const Vec right = load_lanes(t.b.row(j));
      for (int r = 0; r < R; r++) acc[r][j] = fma(left[r], right, acc[r][j]);
    }
  };
  int64_t d = 0;
  for (; d + kWidth <= t.depth; d += kWidth) step([&](const auto* row) { return load(row + d); });
  if constexpr (Tail) step([&](const auto* row) { return load_tail(row + d, t.depth - d); });
  for (int r = 0; r < R; r++) {
    float* to = t.to + r * t.to_stride;
    if constexpr (N == 1) {
      *to = sum(acc[r][0]);
    } else {
      for (int j = 0; j < N; j += 4) {
        const Vec4 sums = sum4(acc[r][j], acc[r][j + 1], acc[r][j + 2], acc[r][j + 3]);
        __builtin_memcpy(to + j, &sums, sizeof(sums));
      }
    }
  }
}

// N rows of b with all rows of a.
template <int N, bool Tail, typename A, typename B>
static inline void dot_columns(const DotTile<A, B>& t, int64_t rows) {
  int64_t r = 0;
  for (; r + kDotRows <= rows; r += kDotRows) dot_block<kDotRows, N, Tail>(t.from(r, 0));
  for (; r + 2 <= rows; r += 2) dot_block<2, N, Tail>(t.from(r, 0));
  if (r < rows) dot_block<1, N, Tail>(t.from(r, 0));
}

template <bool Tail, typename A, typename B>
static inline void dot_all(const DotTile<A, B>& t, int64_t rows, int64_t n) {
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) dot_columns<4, Tail>(t.from(0, j), rows);
  for (; j < n; j++) dot_columns<1, Tail>(t.from(0, j), rows);
}

// All products of the first `rows` rows of a with the first n rows of b.
template <typename A, typename B>
static inline void dot_rows(const DotTile<A, B>& t, int64_t rows, int64_t n) {
  if (t.depth % kWidth == 0) {
    dot_all<false>(t, rows, n);
  } else {
    dot_all<true>(t, rows, n);
  }
}

}  // namespace trimkv::TRIMKV_ISA
