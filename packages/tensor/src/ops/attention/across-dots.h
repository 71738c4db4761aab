#pragma once
#include <cstdint>
#include <utility>

#include "core/dot-tile.h"

// Dot products of many query rows with some keys that lie across: lane l holds key l. What dot-tile.h adds in lane i, this
// adds in a vector of its own, and the tree over the lanes becomes a tree over vectors: the same additions in the same
// order without a shuffle. Worth it where the lanes are many; the keys must be turned first.
namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int kAcrossVecs = 2;  // vectors of keys
constexpr int kAcrossKeys = kAcrossVecs * kWidth;
[[maybe_unused]] [[maybe_unused]] constexpr int kAcrossRows = 6;  // with two lanes each: 24 of 32 registers

#if defined(__AVX512F__)

template <int S, int... L>
inline void swap_blocks(Vec& a, Vec& b, std::integer_sequence<int, L...>) {
  const Vec low = __builtin_shufflevector(a, b, ((L & S) != 0 ? kWidth + L - S : L)...);
  const Vec high = __builtin_shufflevector(a, b, ((L & S) != 0 ? kWidth + L : L + S)...);
  a = low;
  b = high;
}

template <int S>
inline void swap_blocks(Vec (&v)[kWidth]) {
#pragma GCC unroll 16
  for (int i = 0; i < kWidth; i++) {
    if ((i & S) == 0) swap_blocks<S>(v[i], v[i + S], std::make_integer_sequence<int, kWidth>{});
  }
}

// kAcrossKeys keys of `depth` elements, a multiple of kWidth → to[depth][kAcrossKeys].
template <typename T>
void lay_across(Rows<T> keys, int64_t depth, float* to) {
  for (int64_t group = 0; group < kAcrossVecs; group++) {
    for (int64_t d = 0; d < depth; d += kWidth) {
      Vec v[kWidth];
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; i++) v[i] = load(keys.row(group * kWidth + i) + d);
      swap_blocks<8>(v);
      swap_blocks<4>(v);
      swap_blocks<2>(v);
      swap_blocks<1>(v);
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; i++) store(to + (d + i) * kAcrossKeys + group * kWidth, v[i]);
    }
  }
}

// Sums of R rows that wait for their partner in the tree.
template <int R>
struct AcrossTree {
  Vec quarter[R][kAcrossVecs], half[R][kAcrossVecs], whole[R][kAcrossVecs];
};

// Lanes I and I + 8 of all steps, and what of the tree they complete. Leaves come in the order 0 4 2 6 1 5 3 7.
template <int R, int I>
[[gnu::always_inline]] inline void across_leaf(const float* q, int64_t stride, const float* keys, int64_t depth,
                                               AcrossTree<R>& tree) {
  constexpr int V = kAcrossVecs;
  Vec first[R][V] = {}, second[R][V] = {};
  for (int64_t d = I; d < depth; d += kWidth) {
    const float *a = keys + d * kAcrossKeys, *b = a + 8 * kAcrossKeys;
    Vec left[V], right[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) {
      left[v] = load(a + v * kWidth);
      right[v] = load(b + v * kWidth);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const Vec x = broadcast(q[r * stride + d]), y = broadcast(q[r * stride + d + 8]);
#pragma GCC unroll 8
      for (int v = 0; v < V; v++) {
        first[r][v] = fma(x, left[v], first[r][v]);
        second[r][v] = fma(y, right[v], second[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) {
      Vec sum = first[r][v] + second[r][v];
      if constexpr ((I & 4) != 0) sum = tree.quarter[r][v] + sum;
      if constexpr ((I & 6) == 6) sum = tree.half[r][v] + sum;
      if constexpr (I == 7) sum = tree.whole[r][v] + sum;
      if constexpr ((I & 4) == 0) {
        tree.quarter[r][v] = sum;
      } else if constexpr ((I & 2) == 0) {
        tree.half[r][v] = sum;
      } else {
        tree.whole[r][v] = sum;
      }
    }
  }
}

// to[r · to_stride + j] = q_r · key_j for R rows of q and kAcrossKeys keys.
template <int R>
[[gnu::noinline]] void across_block(const float* q, int64_t stride, const float* keys, int64_t depth, float* to,
                                    int64_t to_stride) {
  AcrossTree<R> tree;
  across_leaf<R, 0>(q, stride, keys, depth, tree);
  across_leaf<R, 4>(q, stride, keys, depth, tree);
  across_leaf<R, 2>(q, stride, keys, depth, tree);
  across_leaf<R, 6>(q, stride, keys, depth, tree);
  across_leaf<R, 1>(q, stride, keys, depth, tree);
  across_leaf<R, 5>(q, stride, keys, depth, tree);
  across_leaf<R, 3>(q, stride, keys, depth, tree);
  across_leaf<R, 7>(q, stride, keys, depth, tree);
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kAcrossVecs; v++) store(to + r * to_stride + v * kWidth, tree.whole[r][v]);
  }
}

// All products of `rows` rows with keys laid across.
inline void across_rows(const Rows<float>& q, const float* keys, int64_t rows, int64_t depth, float* to,
                        int64_t to_stride) {
  int64_t r = 0;
  for (; r + kAcrossRows <= rows; r += kAcrossRows) {
    across_block<kAcrossRows>(q.row(r), q.stride, keys, depth, to + r * to_stride, to_stride);
  }
  for (; r + 2 <= rows; r += 2) across_block<2>(q.row(r), q.stride, keys, depth, to + r * to_stride, to_stride);
  if (r < rows) across_block<1>(q.row(r), q.stride, keys, depth, to + r * to_stride, to_stride);
}

#endif

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
