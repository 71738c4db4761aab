#include <cmath>

#include "core/load.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// kept [B, H, budget] i32, invFreq [F, R/2] f32 (rows strided), keys [B, H, cap, D] of a float dtype
constexpr int64_t kAnySlot = INT32_MAX;  // survivors may come from a larger table

struct Turn {
  const Call& call;
  const View &kept = call.tensors[0], &inv_freq = call.tensors[1], &keys = call.tensors[2];
  const SlotSizes size = slot_sizes(keys);
  const int64_t D = keys.shape[3], half = inv_freq.shape[1];

  // ---- workspace, per head: cosines, sines, one key ----
  int64_t floats_per_head() const { return 2 * half + D; }
  int64_t workspace_bytes() const { return 4 * size.heads() * floats_per_head(); }

  void angles(int64_t b, int64_t distance, float* cosines) const {
    const float* frequency = data_of<float>(inv_freq) + (inv_freq.shape[0] == 1 ? 0 : b) * inv_freq.stride[0];
    for (int64_t i = 0; i < half; i++) {
      const float angle = static_cast<float>(distance) * frequency[i];  // rounded to f32 as in ropeTable
      cosines[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
      cosines[half + i] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }

  template <typename T>
  void head(int64_t unit) const {
    const int64_t b = unit / size.H, h = unit % size.H;
    float* cosines = reinterpret_cast<float*>(call.workspace) + unit * floats_per_head();
    float* key = cosines + 2 * half;
    const Kept survivors = kept_slots(kept, b, h, kAnySlot);
    int64_t turned = 0;  // rows in a run moved by one distance, so angles are computed once per gap
    for (int64_t j = 0; j < survivors.count; j++) {
      const int64_t distance = j - survivors.slots[j];
      if (distance == 0) continue;
      if (distance != turned) angles(b, distance, cosines);
      turned = distance;
      T* row = head_slots<T>(keys, b, h) + j * keys.stride[2];
      convert_row(row, key, D);
      for (int64_t i = 0; i < half; i++) {
        const float x = key[i], y = key[half + i];
        key[i] = x * cosines[i] - y * cosines[half + i];
        key[half + i] = y * cosines[i] + x * cosines[half + i];
      }
      convert_row(key, row, D);
    }
  }
};

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 3 && c.tensors[1].rank == 2 && c.tensors[2].rank == 4, kShape, "[turnKeys] wrong rank");
  const Turn t{c};
  TRIMKV_REQUIRE(is_slot_rows(t.keys, t.size, t.D), kShape, "[turnKeys] keys must be [B, H, cap, D] of a float dtype");
  TRIMKV_REQUIRE(is_column(t.kept, DType::kI32, {t.size.B, t.size.H, t.kept.shape[2]}) && t.kept.shape[2] <= t.size.cap, kShape,
                 "[turnKeys] kept must be [B, H, budget] i32");
  TRIMKV_REQUIRE(t.inv_freq.dtype == DType::kF32 && contiguous_from(t.inv_freq, 1) && 2 * t.half <= t.D, kShape,
                 "[turnKeys] invFreq must be [F, R/2] f32 with R <= D");
  TRIMKV_REQUIRE(t.inv_freq.shape[0] == 1 || t.inv_freq.shape[0] == t.size.B, kShape,
                 "[turnKeys] invFreq needs one row, or one for each sequence");
  return {};
}

int64_t workspace(const Call& c) { return Turn{c}.workspace_bytes(); }

Status run(const Call& c) {
  const Turn t{c};
  for (int64_t unit = 0; unit < t.size.heads(); unit++) {
    TRIMKV_REQUIRE(kept_slots(t.kept, unit / t.size.H, unit % t.size.H, kAnySlot).count >= 0, kInvariant,
                   "[turnKeys] kept slots of head %d are not ascending", static_cast<int>(unit));
  }
  visit_float(t.keys.dtype, [&](auto type) {
    auto head = [&](int64_t unit) { t.head<decltype(type)>(unit); };
    parallel_for(*c.pool, t.size.heads(), head);
  });
  return {};
}

TRIMKV_OP("turnKeys", 3, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
