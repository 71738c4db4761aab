#include <cmath>

#include "core/dot-tile.h"
#include "core/load.h"
#include "core/slot-table.h"

// The sum over all keys is one product with the sum of unit keys, so only the entry that each row spares is searched
// for: from the newest key backwards, most rows stop early.
namespace trimkv::TRIMKV_ISA {
namespace {

// keys [B, H, cap, D], count [B, H] i32, out [B, H, cap] f32; scalars: threshold
constexpr int64_t kChunkRows = 32;
constexpr int64_t kGroup = 8;  // keys compared at a time
constexpr double kEpsilon = 1e-8;

// The entry of a row that is not charged.
struct Spared {
  int32_t slot;
  float similarity;
};

struct Redundancy {
  const Call& call;
  const View &keys = call.tensors[0], &count = call.tensors[1], &out = call.tensors[2];
  const SlotSizes size = slot_sizes(keys);
  const int64_t D = keys.shape[3];

  // ---- workspace: sums of unit keys, spared entries, unit keys ----
  int64_t slots() const { return size.heads() * size.cap; }
  double* sums(int64_t unit) const { return reinterpret_cast<double*>(call.workspace) + unit * D; }
  Spared* spared(int64_t unit) const { return reinterpret_cast<Spared*>(sums(size.heads())) + unit * size.cap; }
  Rows<float> unit_keys(int64_t unit) const {
    return {reinterpret_cast<float*>(spared(size.heads())) + unit * size.cap * D, D};
  }
  int64_t workspace_bytes() const { return 8 * size.heads() * D + 8 * slots() + 4 * slots() * D; }

  int64_t stored(int64_t unit) const { return entry(count, unit / size.H, unit % size.H); }

  template <typename T>
  void normalise(int64_t unit) const {
    const T* rows = head_slots<T>(keys, unit / size.H, unit % size.H);
    double* total = sums(unit);
    for (int64_t d = 0; d < D; d++) total[d] = 0;
    for (int64_t j = 0; j < stored(unit); j++) {
      float* to = const_cast<float*>(unit_keys(unit).row(j));
      convert_row(rows + j * keys.stride[2], to, D);
      const double scale = 1.0 / (std::sqrt(static_cast<double>(dot(to, to, D))) + kEpsilon);
      for (int64_t d = 0; d < D; d++) {
        to[d] = static_cast<float>(static_cast<double>(to[d]) * scale);
        total[d] += static_cast<double>(to[d]);
      }
    }
  }

  float similarity(Rows<float> rows, int64_t i, int64_t j) const { return i == j ? 0.0f : dot(rows.row(i), rows.row(j), D); }

  // The last entry of row i above the threshold, or the one in column 0.
  Spared spare(Rows<float> rows, int64_t n, int64_t i) const {
    const float threshold = static_cast<float>(call.scalars[0]);
    float group[kGroup];
    for (int64_t last = n; last > 0; last -= kGroup) {
      const int64_t first = last > kGroup ? last - kGroup : 0;
      dot_rows(DotTile<float, float>{rows.from(i), rows.from(first), D, group, kGroup}, 1, last - first);
      for (int64_t j = last - 1; j >= first; j--) {
        if (j != i && group[j - first] > threshold) return {static_cast<int32_t>(j), group[j - first]};
      }
    }
    return {0, similarity(rows, i, 0)};
  }

  void spare_rows(int64_t unit, int64_t chunk) const {
    const int64_t n = stored(unit);
    for (int64_t i = chunk * kChunkRows; i < least((chunk + 1) * kChunkRows, n); i++) {
      spared(unit)[i] = spare(unit_keys(unit), n, i);
    }
  }

  void softmax(int64_t unit) const {
    const int64_t n = stored(unit);
    float* to = head_slots<float>(out, unit / size.H, unit % size.H);
    for (int64_t j = 0; j < size.cap; j++) to[j] = 0.0f;
    for (int64_t i = 0; i < n; i++) to[spared(unit)[i].slot] -= spared(unit)[i].similarity;
    double total = 0;
    for (int64_t j = 0; j < n; j++) {
      const float* key = unit_keys(unit).row(j);
      double all = 0, self = 0;
      for (int64_t d = 0; d < D; d++) {
        all += static_cast<double>(key[d]) * sums(unit)[d];
        self += static_cast<double>(key[d]) * static_cast<double>(key[d]);
      }
      to[j] = static_cast<float>(std::exp((all - self + static_cast<double>(to[j])) / static_cast<double>(n)));
      total += static_cast<double>(to[j]);
    }
    for (int64_t j = 0; j < n; j++) to[j] = static_cast<float>(static_cast<double>(to[j]) / total);
  }
};

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 4, kShape, "[redundancy] keys must have four axes");
  const Redundancy r{c};
  TRIMKV_REQUIRE(is_slot_rows(r.keys, r.size, r.D), kShape, "[redundancy] keys must be [B, H, cap, D] of a float dtype");
  TRIMKV_REQUIRE(is_per_head(r.count, r.size), kShape, "[redundancy] count must be [B, H] i32");
  TRIMKV_REQUIRE(is_column(r.out, DType::kF32, r.size) && contiguous(r.out), kShape, "[redundancy] out must be [B, H, cap] f32");
  TRIMKV_REQUIRE(c.scalars[0] >= 0 && c.scalars[0] <= 0x1p100, kOption, "[redundancy] threshold must be at least 0");
  return {};
}

int64_t workspace(const Call& c) { return Redundancy{c}.workspace_bytes(); }

Status run(const Call& c) {
  const Redundancy r{c};
  if (Status status = counts_within("redundancy", r.count, r.size); !status.ok()) return status;
  visit_float(r.keys.dtype, [&](auto type) {
    auto head = [&](int64_t unit) { r.normalise<decltype(type)>(unit); };
    parallel_for(*c.pool, r.size.heads(), head);
  });
  const int64_t chunks = ceil_div(r.size.cap, kChunkRows);
  auto rows = [&](int64_t unit) { r.spare_rows(unit / chunks, unit % chunks); };
  parallel_for(*c.pool, r.size.heads() * chunks, rows);
  auto head = [&](int64_t unit) { r.softmax(unit); };
  parallel_for(*c.pool, r.size.heads(), head);
  return {};
}

TRIMKV_OP("redundancy", 3, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
