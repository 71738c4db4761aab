#include <cmath>

#include "core/load.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// keys, values [B, H, cap, D], count [B, H] i32, out [B, H, cap] f32; scalars: sinks, partition, cross
constexpr float kSmallestRange = 1e-12f;

struct Lag {
  const Call& call;
  const View &keys = call.tensors[0], &values = call.tensors[1], &count = call.tensors[2], &out = call.tensors[3];
  const SlotSizes size = slot_sizes(keys);
  const int64_t D = keys.shape[3];
  const int64_t sinks = static_cast<int64_t>(call.scalars[0]), g = static_cast<int64_t>(call.scalars[1]);
  const bool cross = call.scalars[2] != 0;

  // ---- workspace, per head: lows, 1 / ranges and a row of channels, then the ratings of a partition ----
  int64_t floats_per_head() const { return 3 * D + least(g, size.cap); }
  int64_t workspace_bytes() const { return 4 * size.heads() * floats_per_head(); }

  template <typename T>
  struct Table {
    const T* data;
    int64_t stride;

    const T* row(int64_t slot) const { return data + slot * stride; }
  };

  // Lowest value and inverse range of each channel over g slots.
  template <typename T>
  void measure(const Table<T>& rows, int64_t first, float* scratch) const {
    float *low = scratch, *high = scratch + D;
    convert_row(rows.row(first), low, D);
    convert_row(rows.row(first), high, D);
    for (int64_t j = first + 1; j < first + g; j++) {
      each_vec(D, [&](int64_t d, int64_t lanes) {
        const Vec x = load_some(rows.row(j) + d, lanes), least_so_far = load_some(low + d, lanes);
        store_some(low + d, x < least_so_far ? x : least_so_far, lanes);
        store_some(high + d, max(x, load_some(high + d, lanes)), lanes);
      });
    }
    for (int64_t d = 0; d < D; d++) {
      const float range = high[d] - low[d];
      high[d] = 1.0f / (range > kSmallestRange ? range : kSmallestRange);
    }
  }

  // Unbiased deviation over the channels of one row, each measured by the next partition.
  template <typename T>
  double deviation(const T* row, float* scratch) const {
    const float *low = scratch, *inverse = scratch + D;
    float* x = scratch + 2 * D;
    convert_row(row, x, D);
    double sum = 0, squares = 0;
    for (int64_t d = 0; d < D; d++) {
      x[d] = (x[d] - low[d]) * inverse[d];
      sum += static_cast<double>(x[d]);
    }
    const double mean = sum / static_cast<double>(D);
    for (int64_t d = 0; d < D; d++) {
      const double off = static_cast<double>(x[d]) - mean;
      squares += off * off;
    }
    return std::sqrt(squares / static_cast<double>(D - 1));
  }

  // to += ½ · softmax of the deviations of the g slots from `first` on.
  template <typename T>
  void add_share(const Table<T>& rows, int64_t first, float* scratch, float* to) const {
    measure(rows, first + g, scratch);
    float* spread = scratch + 3 * D;
    float most = 0;
    for (int64_t i = 0; i < g; i++) {
      spread[i] = static_cast<float>(deviation(rows.row(first + i), scratch));
      most = spread[i] > most ? spread[i] : most;
    }
    double total = 0;
    for (int64_t i = 0; i < g; i++) {
      const double weight = std::exp(static_cast<double>(spread[i]) - static_cast<double>(most));
      spread[i] = static_cast<float>(weight);
      total += weight;
    }
    for (int64_t i = 0; i < g; i++) to[i] += static_cast<float>(0.5 * static_cast<double>(spread[i]) / total);
  }

  // Ratings become ranks over g, from 0; of equal ones the later ranks higher.
  void rank(float* to, float* ratings) const {
    __builtin_memcpy(ratings, to, static_cast<uint64_t>(g) * sizeof(float));
    for (int64_t i = 0; i < g; i++) {
      int64_t below = 0;
      for (int64_t j = 0; j < g; j++) below += ratings[j] < ratings[i] || (ratings[j] == ratings[i] && j < i) ? 1 : 0;
      to[i] = static_cast<float>(below) / static_cast<float>(g);
    }
  }

  template <typename T>
  void rate(int64_t unit) const {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
    float* to = head_slots<float>(out, b, h);
    const bool few = n < sinks + 2 * g;
    for (int64_t j = 0; j < size.cap; j++) {
      const float ramp = j < sinks ? 1.0f : static_cast<float>(j - sinks) / static_cast<float>(n - sinks);
      to[j] = j >= n ? 0.0f : few ? ramp : 1.0f;
    }
    if (few) return;
    float* scratch = reinterpret_cast<float*>(call.workspace) + unit * floats_per_head();
    for (int64_t first = sinks; first + 2 * g <= n; first += g) {
      for (int64_t i = 0; i < g; i++) to[first + i] = 0;
      add_share(Table<T>{head_slots<T>(keys, b, h), keys.stride[2]}, first, scratch, to + first);
      add_share(Table<T>{head_slots<T>(values, b, h), values.stride[2]}, first, scratch, to + first);
      if (!cross) rank(to + first, scratch + 3 * D);
    }
  }
};

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 4, kShape, "[lagScores] keys must have four axes");
  const Lag lag{c};
  TRIMKV_REQUIRE(is_slot_rows(lag.keys, lag.size, lag.D) && is_slot_rows(lag.values, lag.size, lag.D) &&
                     lag.keys.dtype == lag.values.dtype && lag.D >= 2,
                 kShape, "[lagScores] keys and values must be [B, H, cap, D] of one float dtype");
  TRIMKV_REQUIRE(is_per_head(lag.count, lag.size), kShape, "[lagScores] count must be [B, H] i32");
  TRIMKV_REQUIRE(is_column(lag.out, DType::kF32, lag.size) && contiguous(lag.out), kShape,
                 "[lagScores] out must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 0) && is_whole(c.scalars[1], 1), kOption,
                 "[lagScores] sinks and partition must be integers of at least 0 and 1");
  return {};
}

int64_t workspace(const Call& c) { return Lag{c}.workspace_bytes(); }

Status run(const Call& c) {
  const Lag lag{c};
  if (Status status = counts_within("lagScores", lag.count, lag.size); !status.ok()) return status;
  visit_float(lag.keys.dtype, [&](auto type) {
    auto head = [&](int64_t unit) { lag.rate<decltype(type)>(unit); };
    parallel_for(*c.pool, lag.size.heads(), head);
  });
  return {};
}

TRIMKV_OP("lagScores", 4, 3, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
