#include "core/slot-score.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores [B, H, cap] f32, slotIndex [B, H, cap], count [B, H], seen [B] i32; scalars: first, last
Status check(const Call& c) {
  const View &scores = c.tensors[0], &slot_index = c.tensors[1], &count = c.tensors[2], &seen = c.tensors[3];
  TRIMKV_REQUIRE(scores.rank == 3, kShape, "[protect] scores must have three axes");
  const SlotSizes size = slot_sizes(scores);
  TRIMKV_REQUIRE(is_column(scores, DType::kF32, size), kShape, "[protect] scores must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_column(slot_index, DType::kI32, size), kShape, "[protect] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_per_head(count, size) && is_per_sequence(seen, size), kShape,
                 "[protect] count must be [B, H] i32 and seen [B] i32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 0) && is_whole(c.scalars[1], 0), kOption,
                 "[protect] first and last must be integers of at least 0");
  return {};
}

Status run(const Call& c) {
  const View &scores = c.tensors[0], &slot_index = c.tensors[1], &count = c.tensors[2], &seen = c.tensors[3];
  const SlotSizes size = slot_sizes(scores);
  if (Status status = counts_within("protect", count, size); !status.ok()) return status;
  const ProtectedRange safe{static_cast<int64_t>(c.scalars[0]), static_cast<int64_t>(c.scalars[1])};
  for (int64_t unit = 0; unit < size.heads(); unit++) {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h), tokens = entry(seen, b);
    const int32_t* index = head_slots<int32_t>(slot_index, b, h);
    float* to = head_slots<float>(scores, b, h);
    for (int64_t j = 0; j < n; j++) to[j] = safe.holds(index[j], tokens) ? __builtin_inff() : to[j];
  }
  return {};
}

TRIMKV_OP("protect", 4, 2, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
