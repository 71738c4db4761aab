#pragma once
#include <cstdint>

#include "core/simd.h"

// Products of tiles that lie in cache, R rows by N vectors at a time in registers. Each element of a product adds in
// one order, along the depth, with one fused multiply-add per term.
namespace trimkv::TRIMKV_ISA {

// c = a · b, c = keep ∘ c + a · b (keep: one factor per row, null for 1), and c += aᵀ · b.
enum class Product { kFresh, kOnto, kTransposedOnto };

// a [rows, depth] ([depth, rows] when transposed), b [depth, columns], c [rows, columns]; columns are whole vectors,
// rows are even. `lower`: a (c for kFresh) is square and nothing above its diagonal matters; what kFresh leaves out
// there stays as it was.
struct MatrixTile {
  const float* a;
  int64_t a_stride;
  const float* b;
  int64_t b_stride;
  float* c;
  int64_t c_stride;
  int64_t rows, depth, columns;
  bool lower;
  const float* keep;
};

// Rows whose accumulators fit the registers next to two vectors of b.
constexpr int kMatrixRows = kWidth == 16 ? 8 : 6;

template <Product kProduct, int R, int N>
static inline void matrix_block(const MatrixTile& t, int64_t row, int64_t column) {
  constexpr bool kTransposed = kProduct == Product::kTransposedOnto;
  Vec acc[R][N];
  float* c = t.c + row * t.c_stride + column;
  for (int r = 0; r < R; r++) {
    for (int n = 0; n < N; n++) acc[r][n] = kProduct == Product::kFresh ? Vec{} : load(c + r * t.c_stride + n * kWidth);
  }
  if (kProduct == Product::kOnto && t.keep != nullptr) {
    for (int r = 0; r < R; r++) {
      for (int n = 0; n < N; n++) acc[r][n] = acc[r][n] * t.keep[row + r];
    }
  }
  const int64_t begin = kTransposed && t.lower ? row : 0;
  const int64_t end = kProduct == Product::kOnto && t.lower && row + R < t.depth ? row + R : t.depth;
  const float* a = kTransposed ? t.a + row : t.a + row * t.a_stride;
  const float* b = t.b + column;
  for (int64_t k = begin; k < end; k++) {
    Vec right[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) right[n] = load(b + k * t.b_stride + n * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const Vec left = broadcast(kTransposed ? a[k * t.a_stride + r] : a[r * t.a_stride + k]);
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) acc[r][n] = fma(left, right[n], acc[r][n]);
    }
  }
  for (int r = 0; r < R; r++) {
    for (int n = 0; n < N; n++) store(c + r * t.c_stride + n * kWidth, acc[r][n]);
  }
}

template <Product kProduct, int N>
static inline void matrix_panel(const MatrixTile& t, int64_t column) {
  int64_t row = 0;
  if (kProduct == Product::kFresh && t.lower) row = column / kMatrixRows * kMatrixRows;
  for (; row + kMatrixRows <= t.rows; row += kMatrixRows) matrix_block<kProduct, kMatrixRows, N>(t, row, column);
  for (; row + 4 <= t.rows; row += 4) matrix_block<kProduct, 4, N>(t, row, column);
  if (row < t.rows) matrix_block<kProduct, 2, N>(t, row, column);
}

template <Product kProduct>
[[gnu::noinline]] static void multiply(const MatrixTile& t) {
  int64_t column = 0;
  for (; column + 2 * kWidth <= t.columns; column += 2 * kWidth) matrix_panel<kProduct, 2>(t, column);
  if (column < t.columns) matrix_panel<kProduct, 1>(t, column);
}

}  // namespace trimkv::TRIMKV_ISA
