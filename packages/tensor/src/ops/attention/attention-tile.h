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
constexpr int64_t kStage = 16;      // slots that are widened, scored or added at a time
constexpr int64_t kSplit = 256;     // slots of one partial result
constexpr int64_t kBlock = 36;      // query rows that share a widened tile
constexpr int64_t kBlockLanes = (kBlock + kWidth - 1) / kWidth * kWidth;
constexpr int64_t kSharedRows = 3;  // up to so many query rows read 16-bit slots as they are stored
constexpr int64_t kMaxDepth = 256;  // head size

inline float exp_scalar(float x) { return exp(broadcast(x))[0]; }

// Softmax in progress: largest score and sum of exp(score − max).
struct SoftmaxState {
  float max, sum;
};

// Folds a later partial result into an earlier one.
inline void merge(float* to, SoftmaxState& state, const float* from, SoftmaxState other, int64_t depth) {
  const float max = state.max > other.max ? state.max : other.max;
  const float keep = exp_scalar(state.max - max), add = exp_scalar(other.max - max);
  const Vec kept = broadcast(keep), added = broadcast(add);
  each_vec(depth, [&](int64_t d, int64_t lanes) {
    const Vec sum = fma(load_some(from + d, lanes), added, load_some(to + d, lanes) * kept);
    store_some(to + d, sum, lanes);
  });
  state = {max, state.sum * keep + other.sum * add};
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

template <int R, int N, typename T, typename Load, typename Store>
void add_values_block(const ValueTile<T>& t, Load load_lanes, Store store_lanes) {
  Vec acc[R][N];
  for (int r = 0; r < R; r++) {
    for (int i = 0; i < N; i++) acc[r][i] = load_lanes(t.to + r * t.depth + i * kWidth) * t.keep[r];
  }
  for (int64_t j = t.begin; j < t.end; j++) {
    Vec weight[R];
    for (int r = 0; r < R; r++) weight[r] = broadcast(t.weights[r * kTile + j]);
    for (int i = 0; i < N; i++) {
      const Vec value = load_lanes(t.values.row(j) + i * kWidth);
      for (int r = 0; r < R; r++) acc[r][i] = fma(weight[r], value, acc[r][i]);
    }
  }
  for (int r = 0; r < R; r++) {
    for (int i = 0; i < N; i++) store_lanes(t.to + r * t.depth + i * kWidth, acc[r][i]);
  }
}

template <int N, typename T, typename Load, typename Store>
void add_values_columns(const ValueTile<T>& t, int64_t rows, Load load_lanes, Store store_lanes) {
  int64_t r = 0;
  for (; r + kDotRows <= rows; r += kDotRows) add_values_block<kDotRows, N>(t.from(r, 0), load_lanes, store_lanes);
  for (; r + 2 <= rows; r += 2) add_values_block<2, N>(t.from(r, 0), load_lanes, store_lanes);
  if (r < rows) add_values_block<1, N>(t.from(r, 0), load_lanes, store_lanes);
}

template <typename T>
void add_values(const ValueTile<T>& t, int64_t rows) {
  auto load_full = [](const auto* from) { return load(from); };
  auto store_full = [](float* to, Vec v) { store(to, v); };
  int64_t d = 0;
  for (; d + 4 * kWidth <= t.depth; d += 4 * kWidth) add_values_columns<4>(t.from(0, d), rows, load_full, store_full);
  for (; d + kWidth <= t.depth; d += kWidth) add_values_columns<1>(t.from(0, d), rows, load_full, store_full);
  const int64_t lanes = t.depth - d;
  if (lanes == 0) return;
  add_values_columns<1>(
      t.from(0, d), rows, [=](const auto* from) { return load_tail(from, lanes); },
      [=](float* to, Vec v) { store_tail(to, v, lanes); });
}

struct Span {
  int64_t first, count;
};

// Slots that are needed soon.
template <typename T>
struct Upcoming {
  Rows<T> slots;
  int64_t count;
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
  alignas(64) float wide[kStage * kMaxDepth];  // some keys or values as f32

  SoftmaxState state(int64_t r) const { return {max_score[r], weight_sum[r]}; }

  int64_t first_row_that_sees(int64_t slot) const {
    int64_t r = 0;
    while (r < rows && visible[r] <= slot) r++;
    return r;
  }

  // scores[r, j] = q_r · key_j for the rows that see slot `first`; entries a row does not see are −inf.
  template <typename T>
  void score_tile(Rows<T> keys, const Span& tile, Rows<T> next) {
    const int64_t from = first_row_that_sees(tile.first);
    each_stage(keys, tile, {next, tile.count}, [&](auto some, int64_t j, int64_t count) {
      const Rows<float> queries{q + from * depth, depth};
      dot_rows(DotTile{queries, some, depth, scores + from * kTile + j, kTile}, rows - from, count);
    });
    for (int64_t r = from; r < rows; r++) {
      for (int64_t j = least_of(tile.count, visible[r] - tile.first); j < kTile; j++) {
        scores[r * kTile + j] = -__builtin_inff();
      }
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
      const Span tile{at, least_of(kTile, last - at)};
      score_tile(head.keys, tile, head.values.from(at));
      weigh(first_row_that_sees(at), tile.count);
      const Upcoming<T> next{head.keys.from(at + kTile), least_of(kTile, last - at - kTile)};
      each_stage(head.values, tile, next, [&](auto some, int64_t j, int64_t count) { add_stage(some, at, {j, count}); });
    }
  }

 private:
  static int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

  // Calls body(rows, j, count) for some slots j … j+count−1 of a tile at a time: as they are stored, or widened once when
  // enough query rows share them. Meanwhile the memory of upcoming slots is asked for.
  template <typename T, typename F>
  void each_stage(Rows<T> slots, const Span& tile, const Upcoming<T>& next, F body) {
    for (int64_t j = 0; j < tile.count; j += kStage) {
      const Rows<T> some = slots.from(tile.first + j);
      const int64_t count = least_of(kStage, tile.count - j);
      for (int64_t i = j; i < least_of(j + kStage, next.count); i++) prefetch_row(next.slots.row(i));
      if constexpr (sizeof(T) != sizeof(float)) {
        if (rows > kSharedRows) {
          for (int64_t i = 0; i < count; i++) convert_row(some.row(i), wide + i * depth, depth);
          body(Rows<float>{wide, depth}, j, count);
          continue;
        }
      }
      body(some, j, count);
    }
  }

  template <typename T>
  void prefetch_row(const T* row) const {
    const int64_t bytes = depth * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(reinterpret_cast<const char*>(row) + i);
  }

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

  // Slots that all rows see are added at once; what later rows see beyond follows row by row.
  template <typename T>
  void add_stage(Rows<T> values, int64_t tile, const Span& stage) {
    const int64_t first = tile + stage.first, from = first_row_that_sees(first);
    const int64_t shared = least_of(stage.count, visible[from] - first);
    const float* weights = scores + from * kTile + stage.first;
    const ValueTile<T> t{keep + from, weights, values, 0, shared, acc + from * depth, depth};
    add_values(t, rows - from);
    for (int64_t r = from; r < rows; r++) {
      keep[r] = 1.0f;
      ValueTile<T> rest = t.from(r - from, 0);
      rest.begin = shared;
      rest.end = least_of(stage.count, visible[r] - first);
      if (rest.begin < rest.end) add_values(rest, 1);
    }
  }
};

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
