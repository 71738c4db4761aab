#pragma once
#include <cmath>

#include "core/dot-tile.h"
#include "core/load.h"

// One block of query rows against the slots of one key head: scores, softmax and weighted values, 64 slots at a time.
// The arithmetic of a row is a function of the row and the slots it sees alone: tiles and splits are aligned to slot
// numbers, and slots a row does not see are never added to it.
namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kTile = 64;       // slots of one softmax step
constexpr int64_t kSplit = 256;     // slots of one partial result
constexpr int64_t kBlock = 36;      // query rows that share a widened tile
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
  int64_t depth;

  ValueTile from(int64_t r, int64_t d) const {
    return {keep + r, weights + r * kTile, {values.data + d, values.stride}, begin, end, to + r * depth + d, depth};
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
    for (int i = 0; i < N; i++) acc[r][i] = lanes.read(t.to + r * t.depth + i * kWidth) * t.keep[r];
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
    for (int i = 0; i < N; i++) lanes.write(t.to + r * t.depth + i * kWidth, acc[r][i]);
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
  for (; d + 4 * kWidth <= t.depth; d += 4 * kWidth) add_values_columns<4>(t.from(0, d), rows, WholeVec{});
  for (; d + kWidth <= t.depth; d += kWidth) add_values_columns<1>(t.from(0, d), rows, WholeVec{});
  if (d < t.depth) add_values_columns<1>(t.from(0, d), rows, PartOfVec{t.depth - d});
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
  alignas(64) float wide[kTile * kMaxDepth];  // a tile of keys or values as f32

  // Calls body with the rows of one tile: as they are stored, or widened once when enough query rows share them.
  template <typename T, typename F>
  void with_tile(Rows<T> slots, int64_t n, F body) {
    if constexpr (sizeof(T) != sizeof(float)) {
      if (rows > kDirectRows) {
        for (int64_t j = 0; j < n; j++) convert_row(slots.row(j), wide + j * depth, depth);
        return body(Rows<float>{wide, depth});
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
    with_tile(keys.from(slots.first), slots.count, [&](auto tile) {
      const Rows<float> queries{q + from * depth, depth};
      dot_rows(DotTile{queries, tile, depth, scores + from * kTile, kTile}, rows - from, slots.count);
    });
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
      with_tile(head.values.from(at), slots.count, [&](auto tile) { add_tile(tile, slots, from); });
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

  // All rows see `shared` slots of the tile, which are added at once; what later rows see beyond follows row by row.
  template <typename T>
  void add_tile(Rows<T> values, const Span& slots, int64_t from) {
    const int64_t shared = least_of(slots.count, visible[from] - slots.first);
    const ValueTile<T> t{keep + from, scores + from * kTile, values, 0, shared, acc + from * depth, depth};
    add_values(t, rows - from);
    for (int64_t r = from; r < rows; r++) {
      keep[r] = 1.0f;
      ValueTile<T> rest = t.from(r - from, 0);
      rest.begin = shared;
      rest.end = least_of(slots.count, visible[r] - slots.first);
      if (rest.begin < rest.end) add_values(rest, 1);
    }
  }
};

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
