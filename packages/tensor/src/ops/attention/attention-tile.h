#pragma once
#include <cmath>

#include "attention/across-dots.h"
#include "core/dot-tile.h"
#include "core/load.h"

// One block of query rows against the slots of one key head: scores, softmax and weighted values, 64 slots at a time.
// The arithmetic of a row is a function of the row and the slots it sees alone: tiles and splits are aligned to slot
// numbers, and slots a row does not see are never added to it.
namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kTile = 64;       // slots of one softmax step
constexpr int64_t kSplit = 256;     // slots of one partial result
constexpr int64_t kBlock = 72;      // query rows that share a widened tile
constexpr int64_t kNearRows = 36;   // query rows that stay in the first-level cache while keys pass by
[[maybe_unused]] constexpr int64_t kAcrossAbove = 12;  // query rows that make up for laying keys across
constexpr int64_t kWideKeys = 16;   // keys widened at a time, so that they stay there too
constexpr int64_t kMostWideKeys = kWideKeys > kAcrossKeys ? kWideKeys : kAcrossKeys;
constexpr int64_t kWideColumns = 4 * kWidth;  // columns of values widened at a time
constexpr int64_t kBlockLanes = (kBlock + kWidth - 1) / kWidth * kWidth;
constexpr int64_t kDirectRows = 3;  // up to so many query rows read 16-bit slots as they are stored
constexpr int64_t kMaxDepth = 256;  // head size

inline float exp_scalar(float x) { return exp(broadcast(x))[0]; }

// Softmax in progress: largest score and sum of exp(score − max).
struct SoftmaxState {
  float max, sum;
};

// Σ weight · value of one row over some slots, and the softmax it belongs to.
struct Partial {
  const float* sums;
  SoftmaxState state;
  int64_t depth;
};

// Folds a later partial result into an earlier one; `state.sum` is 0 while there is none.
inline void merge(float* to, SoftmaxState& state, const Partial& part) {
  if (state.sum == 0.0f) {
    state = part.state;
    return convert_row(part.sums, to, part.depth);
  }
  const float max = state.max > part.state.max ? state.max : part.state.max;
  const float keep = exp_scalar(state.max - max), add = exp_scalar(part.state.max - max);
  const Vec kept = broadcast(keep), added = broadcast(add);
  each_vec(part.depth, [&](int64_t d, int64_t lanes) {
    const Vec sum = fma(load_some(part.sums + d, lanes), added, load_some(to + d, lanes) * kept);
    store_some(to + d, sum, lanes);
  });
  state = {max, state.sum * keep + part.state.sum * add};
}

inline void scale_row(float* row, float factor, int64_t depth) {
  each_vec(depth, [&](int64_t d, int64_t lanes) { store_some(row + d, load_some(row + d, lanes) * factor, lanes); });
}

// to[r, …] = to[r, …] · keep[r] + Σ_j weights[r, j] · values[j, …], j ascending.
template <typename T>
struct ValueTile {
  const float* keep;
  const float* weights;  // rows of kTile
  Rows<T> values;
  int64_t begin, end;  // slots of the tile
  float* to;
  int64_t stride, columns;

  ValueTile from(int64_t r, int64_t d) const {
    return {keep + r, weights + r * kTile, {values.data + d, values.stride}, begin, end, to + r * stride + d, stride,
            columns - d};
  }
};

struct WholeVec {
  template <typename T>
  Vec read(const T* from) const {
    return load(from);
  }
  void write(float* to, Vec v) const { store(to, v); }
};
struct PartOfVec {
  int64_t lanes;

  template <typename T>
  Vec read(const T* from) const {
    return load_tail(from, lanes);
  }
  void write(float* to, Vec v) const { store_tail(to, v, lanes); }
};

template <int R, int N, typename T, typename Lanes>
void add_values_block(const ValueTile<T>& t, Lanes lanes) {
  Vec acc[R][N];
  for (int r = 0; r < R; r++) {
    for (int i = 0; i < N; i++) acc[r][i] = lanes.read(t.to + r * t.stride + i * kWidth) * t.keep[r];
  }
  for (int64_t j = t.begin; j < t.end; j++) {
    Vec weight[R];
    for (int r = 0; r < R; r++) weight[r] = broadcast(t.weights[r * kTile + j]);
    for (int i = 0; i < N; i++) {
      const Vec value = lanes.read(t.values.row(j) + i * kWidth);
      for (int r = 0; r < R; r++) acc[r][i] = fma(weight[r], value, acc[r][i]);
    }
  }
  for (int r = 0; r < R; r++) {
    for (int i = 0; i < N; i++) lanes.write(t.to + r * t.stride + i * kWidth, acc[r][i]);
  }
}

template <int N, typename T, typename Lanes>
void add_values_columns(const ValueTile<T>& t, int64_t rows, Lanes lanes) {
  int64_t r = 0;
  for (; r + kDotRows <= rows; r += kDotRows) add_values_block<kDotRows, N>(t.from(r, 0), lanes);
  for (; r + 2 <= rows; r += 2) add_values_block<2, N>(t.from(r, 0), lanes);
  if (r < rows) add_values_block<1, N>(t.from(r, 0), lanes);
}

template <typename T>
void add_values(const ValueTile<T>& t, int64_t rows) {
  int64_t d = 0;
  for (; d + 4 * kWidth <= t.columns; d += 4 * kWidth) add_values_columns<4>(t.from(0, d), rows, WholeVec{});
  for (; d + kWidth <= t.columns; d += kWidth) add_values_columns<1>(t.from(0, d), rows, WholeVec{});
  if (d < t.columns) add_values_columns<1>(t.from(0, d), rows, PartOfVec{t.columns - d});
}

struct Span {
  int64_t first, count;
};

// Keys and values of one head, slot by slot.
template <typename T>
struct HeadSlots {
  Rows<T> keys, values;
};

// Query rows of one key head. Row r sees the first visible[r] slots; visible never falls with r.
struct QueryBlock {
  int64_t rows, depth;
  int64_t visible[kBlock];
  // Softmax so far, and the factor that the current tile puts on it; padded to whole vectors.
  float max_score[kBlockLanes], weight_sum[kBlockLanes], keep[kBlockLanes];
  alignas(64) float q[kBlock * kMaxDepth];  // times the scale
  alignas(64) float acc[kBlock * kMaxDepth];
  alignas(64) float scores[kBlock * kTile];
  // Keys or values as f32, or keys laid across.
  alignas(64) float wide[kMostWideKeys * kMaxDepth];
  static_assert(kTile * kWideColumns <= kMostWideKeys * kMaxDepth);

  // Calls body with some rows of slots: as they are stored, or widened when enough query rows share them.
  template <typename T, typename F>
  void with_rows(Rows<T> slots, int64_t n, int64_t columns, F body) {
    if constexpr (sizeof(T) != sizeof(float)) {
      if (rows > kDirectRows) {
        for (int64_t j = 0; j < n; j++) convert_row(slots.row(j), wide + j * columns, columns);
        return body(Rows<float>{wide, columns});
      }
    }
    return body(slots);
  }

  SoftmaxState state(int64_t r) const { return {max_score[r], weight_sum[r]}; }

  int64_t first_row_that_sees(int64_t slot) const {
    int64_t r = 0;
    while (r < rows && visible[r] <= slot) r++;
    return r;
  }

  // scores[r, j] = q_r · key_j for some slots and rows from…; entries a row does not see are −inf.
  template <typename T>
  void score_tile(Rows<T> keys, const Span& slots, int64_t from) {
    int64_t j = 0;
#if defined(__AVX512F__)
    if (rows - from > kAcrossAbove && depth % kWidth == 0) {
      for (; j + kAcrossKeys <= slots.count; j += kAcrossKeys) {
        lay_across(keys.from(slots.first + j), depth, wide);
        across_rows({q + from * depth, depth}, wide, rows - from, depth, scores + from * kTile + j, kTile);
      }
    }
#endif
    for (; j < slots.count; j += kWideKeys) {
      const int64_t n = least_of(kWideKeys, slots.count - j);
      with_rows(keys.from(slots.first + j), n, depth, [&](auto some) {
        for (int64_t r = from; r < rows; r += kNearRows) {
          const Rows<float> queries{q + r * depth, depth};
          dot_rows(DotTile{queries, some, depth, scores + r * kTile + j, kTile}, least_of(kNearRows, rows - r), n);
        }
      });
    }
    for (int64_t r = from; r < rows; r++) {
      for (int64_t j = least_of(slots.count, visible[r] - slots.first); j < kTile; j++) scores[r * kTile + j] = -__builtin_inff();
    }
  }

  // Softmax and values of slots first … last−1, at most one split, into acc and state from scratch.
  template <typename T>
  void attend(const HeadSlots<T>& head, int64_t first, int64_t last) {
    for (int64_t r = 0; r < kBlockLanes; r++) {
      max_score[r] = -__builtin_inff();
      weight_sum[r] = 0.0f;
    }
    __builtin_memset(acc, 0, static_cast<uint64_t>(rows * depth) * sizeof(float));
    for (int64_t at = first; at < last; at += kTile) {
      const Span slots{at, least_of(kTile, last - at)};
      const int64_t from = first_row_that_sees(at);
      prefetch(head.values.from(at), slots.count);
      score_tile(head.keys, slots, from);
      weigh(from, slots.count);
      for (int64_t d = 0; d < depth; d += kWideColumns) {
        const Rows<T> values{head.values.row(at) + d, head.values.stride};
        const int64_t columns = least_of(kWideColumns, depth - d);
        with_rows(values, slots.count, columns, [&](auto some) { add_tile(some, slots, {from, d, columns}); });
      }
    }
  }

  // Asks for the values of a tile while its keys are scored.
  template <typename T>
  void prefetch(Rows<T> slots, int64_t n) const {
    const int64_t bytes = depth * static_cast<int64_t>(sizeof(T));
    for (int64_t j = 0; j < n; j++) {
      const char* row = reinterpret_cast<const char*>(slots.row(j));
      for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(row + i);
    }
  }

 private:
  static int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

  // Turns scores into weights exp(score − max) and updates the softmax; `keep` rescales what was added before.
  void weigh(int64_t from, int64_t n) {
    float before[kBlockLanes];
    __builtin_memcpy(before, max_score, sizeof(before));
    for (int64_t r = from; r < rows; r++) {
      Vec largest = broadcast(max_score[r]);
      for (int64_t j = 0; j < n; j += kWidth) largest = max(largest, load(scores + r * kTile + j));
      max_score[r] = max_lane(largest);
    }
    for (int64_t r = 0; r < kBlockLanes; r += kWidth) store(keep + r, exp(load(before + r) - load(max_score + r)));
    for (int64_t r = from; r < rows; r++) {
      const Vec shift = broadcast(max_score[r]);
      Vec total{};
      for (int64_t j = 0; j < n; j += kWidth) {
        const Vec weight = exp(load(scores + r * kTile + j) - shift);
        store(scores + r * kTile + j, weight);
        total = total + weight;
      }
      weight_sum[r] = weight_sum[r] * keep[r] + sum(total);
    }
  }

  struct Target {
    int64_t from, column, columns;  // rows from…, some of their columns
  };

  // All rows see `shared` slots of the tile, which are added at once; what later rows see beyond follows row by row.
  template <typename T>
  void add_tile(Rows<T> values, const Span& slots, const Target& to) {
    static constexpr float kOne = 1.0f;
    const int64_t from = to.from, shared = least_of(slots.count, visible[from] - slots.first);
    const ValueTile<T> t{keep + from, scores + from * kTile, values, 0, shared, acc + from * depth + to.column,
                         depth, to.columns};
    add_values(t, rows - from);
    for (int64_t r = from; r < rows; r++) {
      ValueTile<T> rest = t.from(r - from, 0);
      rest.keep = &kOne;
      rest.begin = shared;
      rest.end = least_of(slots.count, visible[r] - slots.first);
      if (rest.begin < rest.end) add_values(rest, 1);
    }
  }
};

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
