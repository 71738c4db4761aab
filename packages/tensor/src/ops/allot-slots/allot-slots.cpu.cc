#include <cmath>

#include "core/slot-rank.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// Twin of HeadFloor in allot-slots.ts.
enum class Floor : int32_t { kNone = 0, kTop = 1, kLeast = 2, kMix = 3 };

// scores [B, P, cap] f32, slotIndex [B, P, cap], count [B, P] i32, out [B, P] i32;
// scalars: budget, trigger, floor kind, floor value, threshold
struct Allot {
  const Call& call;
  const View &scores = call.tensors[0], &slot_index = call.tensors[1], &count = call.tensors[2], &out = call.tensors[3];
  const SlotSizes size = slot_sizes(scores);
  const int64_t budget = static_cast<int64_t>(call.scalars[0]), trigger = static_cast<int64_t>(call.scalars[1]);
  const Floor floor = static_cast<Floor>(static_cast<int32_t>(call.scalars[2]));
  const double floor_value = call.scalars[3], threshold = call.scalars[4];

  int64_t floor_slots() const { return floor == Floor::kMix ? 0 : static_cast<int64_t>(floor_value); }

  // ---- workspace: keys of one sequence's heads, and per head the lowest key that is sure to win and the wins ----
  int64_t workspace_bytes() const { return 8 * size.H * (size.cap + 2); }
  uint64_t* keys() const { return reinterpret_cast<uint64_t*>(call.workspace); }
  uint64_t* sure() const { return keys() + size.H * size.cap; }
  int64_t* wins() const { return reinterpret_cast<int64_t*>(sure() + size.H); }

  uint64_t key(int64_t b, int64_t h, int64_t slot) const {
    return key_of(head_slots<float>(scores, b, h)[slot], head_slots<int32_t>(slot_index, b, h)[slot]);
  }

  // With a floor of kind top the best slots of a head win before all others: from which key on.
  void find_sure(int64_t b, int64_t h) const {
    const int64_t n = entry(count, b, h), safe = floor == Floor::kTop ? least(floor_slots(), n) : 0;
    uint64_t* own = keys() + h * size.cap;
    for (int64_t j = 0; j < n && safe > 0; j++) own[j] = key(b, h, j);
    sure()[h] = safe > 0 ? kth_largest(own, n, safe) : ~uint64_t{0};
    wins()[h] = safe;
  }

  // Keys of all slots that compete, one head after another. No further than where their own head's begin.
  int64_t gather_open(int64_t b) const {
    int64_t open = 0;
    for (int64_t h = 0; h < size.H; h++) {
      for (int64_t j = 0; j < entry(count, b, h); j++) {
        const uint64_t slot = key(b, h, j);
        if (slot < sure()[h]) keys()[open++] = slot;
      }
    }
    return open;
  }

  // Adds the slots of a head above a key; gives those that are equal to it.
  int64_t count_above(int64_t b, int64_t h, uint64_t lowest) const {
    int64_t equal = 0;
    for (int64_t j = 0; j < entry(count, b, h); j++) {
      const uint64_t slot = key(b, h, j);
      if (slot >= sure()[h]) continue;
      wins()[h] += slot > lowest;
      equal += slot == lowest;
    }
    return equal;
  }

  void contest(int64_t b) const {
    int64_t places = size.H * (floor == Floor::kLeast ? budget - floor_slots() : budget);
    for (int64_t h = 0; h < size.H; h++) places -= wins()[h];
    const int64_t open = gather_open(b);
    if (places <= 0) return;
    if (open <= places) {
      for (int64_t h = 0; h < size.H; h++) wins()[h] = entry(count, b, h);
      return;
    }
    const uint64_t lowest = kth_largest(keys(), open, places);
    int64_t* equal = reinterpret_cast<int64_t*>(keys());
    auto head = [&](int64_t h) { equal[h] = count_above(b, h, lowest); };
    const int64_t before = total_wins();
    parallel_for(*call.pool, size.H, head);
    int64_t left = places - (total_wins() - before);
    for (int64_t h = 0; h < size.H; h++) {
      const int64_t taken = least(left, equal[h]);
      wins()[h] += taken;
      left -= taken;
    }
  }

  int64_t total_wins() const {
    int64_t sum = 0;
    for (int64_t h = 0; h < size.H; h++) sum += wins()[h];
    return sum;
  }

  int64_t quota(int64_t b, int64_t h) const {
    const float* score = head_slots<float>(scores, b, h);
    const int64_t n = entry(count, b, h);
    int64_t above = 0, protected_slots = 0;
    for (int64_t j = 0; j < n; j++) {
      const float rated = score[j] == score[j] ? score[j] : -__builtin_inff();
      above += static_cast<double>(rated) >= threshold;
      protected_slots += rated == __builtin_inff();
    }
    int64_t given = wins()[h];
    if (floor == Floor::kLeast) given += floor_slots();
    if (floor == Floor::kMix) {
      const double even = std::floor(floor_value * static_cast<double>(budget - protected_slots));
      const double won = static_cast<double>(given - protected_slots) * (1.0 - floor_value);
      given = protected_slots + static_cast<int64_t>(std::nearbyint(won + even));
    }
    const int64_t rated = above > floor_slots() ? above : floor_slots();
    return least(n, least(given, rated));
  }

  void sequence(int64_t b) const {
    int64_t total = 0;
    for (int64_t h = 0; h < size.H; h++) total += entry(count, b, h);
    if (total < trigger) {
      for (int64_t h = 0; h < size.H; h++) entry(out, b, h) = entry(count, b, h);
      return;
    }
    auto prepare = [&](int64_t h) { find_sure(b, h); };
    parallel_for(*call.pool, size.H, prepare);
    contest(b);
    auto finish = [&](int64_t h) { entry(out, b, h) = static_cast<int32_t>(quota(b, h)); };
    parallel_for(*call.pool, size.H, finish);
  }
};

Status check_scalars(const Call& c) {
  const double *s = c.scalars, kind = s[2], value = s[3];
  TRIMKV_REQUIRE(is_whole(s[0], 1) && s[0] <= 0x1p31 && is_whole(s[1], 0), kOption,
                 "[allotSlots] budget must be a positive integer and trigger an integer");
  TRIMKV_REQUIRE(kind == 0 || kind == 1 || kind == 2 || kind == 3, kOption, "[allotSlots] unknown floor");
  TRIMKV_REQUIRE(kind == 3 ? value >= 0 && value <= 1 : is_whole(value, 0) && value <= s[0], kOption,
                 "[allotSlots] a floor is at most the budget, a share at most 1");
  TRIMKV_REQUIRE(s[4] == s[4], kOption, "[allotSlots] threshold must be a number");
  return {};
}

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 3, kShape, "[allotSlots] scores must have three axes");
  if (Status status = check_scalars(c); !status.ok()) return status;
  const Allot a{c};
  TRIMKV_REQUIRE(is_column(a.scores, DType::kF32, a.size), kShape, "[allotSlots] scores must be [B, P, cap] f32");
  TRIMKV_REQUIRE(is_column(a.slot_index, DType::kI32, a.size), kShape, "[allotSlots] slotIndex must be [B, P, cap] i32");
  TRIMKV_REQUIRE(is_per_head(a.count, a.size) && is_per_head(a.out, a.size), kShape,
                 "[allotSlots] count and out must be [B, P] i32");
  return {};
}

int64_t workspace(const Call& c) { return Allot{c}.workspace_bytes(); }

Status run(const Call& c) {
  const Allot a{c};
  if (Status status = counts_within("allotSlots", a.count, a.size); !status.ok()) return status;
  for (int64_t b = 0; b < a.size.B; b++) a.sequence(b);
  return {};
}

TRIMKV_OP("allotSlots", 4, 5, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
