#include "core/slot-score.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores [B, H, cap] f32, slotIndex [B, H, cap], count [B, H], seen [B] i32, out [B, H, cap] f32; scalars: first, last
Status check(const Call& c) {
  const View &scores = c.tensors[0], &slot_index = c.tensors[1], &count = c.tensors[2], &seen = c.tensors[3],
             &out = c.tensors[4];
  TRIMKV_REQUIRE(scores.rank == 3, kShape, "[liftProtected] scores must have three axes");
  const SlotSizes size = slot_sizes(scores);
  TRIMKV_REQUIRE(is_column(scores, DType::kF32, size), kShape, "[liftProtected] scores must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_column(slot_index, DType::kI32, size), kShape, "[liftProtected] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_per_head(count, size) && is_per_sequence(seen, size), kShape,
                 "[liftProtected] count must be [B, H] i32 and seen [B] i32");
  TRIMKV_REQUIRE(is_column(out, DType::kF32, size) && contiguous(out), kShape, "[liftProtected] out must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 0) && is_whole(c.scalars[1], 0), kOption,
                 "[liftProtected] first and last must be integers of at least 0");
  return {};
}

struct Lift {
  const Call& call;
  const View &scores = call.tensors[0], &slot_index = call.tensors[1], &count = call.tensors[2], &seen = call.tensors[3],
             &out = call.tensors[4];
  const SlotSizes size = slot_sizes(scores);
  const ProtectedRange safe{static_cast<int64_t>(call.scalars[0]), static_cast<int64_t>(call.scalars[1])};

  // The score of the lifted tokens of a sequence.
  float top(int64_t b) const {
    float most = -__builtin_inff();
    bool any = false;
    for (int64_t h = 0; h < size.H; h++) {
      const float* from = head_slots<float>(scores, b, h);
      const int32_t* index = head_slots<int32_t>(slot_index, b, h);
      for (int64_t j = 0; j < entry(count, b, h); j++) {
        if (safe.holds(index[j], entry(seen, b))) continue;
        any = true;
        most = from[j] > most ? from[j] : most;
      }
    }
    return any ? most + 1.0f : 1.0f;
  }

  void sequence(int64_t b) const {
    const float lifted = top(b);
    for (int64_t h = 0; h < size.H; h++) {
      const float* from = head_slots<float>(scores, b, h);
      const int32_t* index = head_slots<int32_t>(slot_index, b, h);
      float* to = head_slots<float>(out, b, h);
      const int64_t n = entry(count, b, h);
      for (int64_t j = 0; j < size.cap; j++) {
        to[j] = j < n && safe.holds(index[j], entry(seen, b)) ? lifted : from[j];
      }
    }
  }
};

Status run(const Call& c) {
  const Lift lift{c};
  if (Status status = counts_within("liftProtected", lift.count, lift.size); !status.ok()) return status;
  auto sequence = [&](int64_t b) { lift.sequence(b); };
  parallel_for(*c.pool, lift.size.B, sequence);
  return {};
}

TRIMKV_OP("liftProtected", 5, 2, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
