#include "core/slot-score.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// count [B, H], slotIndex [B, H, cap], seen [B] i32, columnA?, columnB? [B, H, cap] f32, out [B, H, cap]; scalars: score
Status check(const Call& c) {
  const View &count = c.tensors[0], &slot_index = c.tensors[1], &seen = c.tensors[2], &out = c.tensors[5];
  TRIMKV_REQUIRE(slot_index.rank == 3, kShape, "[slotScores] slotIndex must have three axes");
  const SlotSizes size = slot_sizes(slot_index);
  SlotScore score{};
  TRIMKV_REQUIRE(read_score(c.scalars, score), kOption, "[slotScores] unknown score");
  TRIMKV_REQUIRE(is_column(slot_index, DType::kI32, size), kShape, "[slotScores] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_per_head(count, size) && is_per_sequence(seen, size), kShape,
                 "[slotScores] count must be [B, H] i32 and seen [B] i32");
  for (int i = 3; i < 5; i++) {
    TRIMKV_REQUIRE(!c.tensors[i].present || is_column(c.tensors[i], DType::kF32, size), kShape,
                   "[slotScores] columns must be [B, H, cap] f32");
  }
  TRIMKV_REQUIRE(!score.needs_column() || c.tensors[3].present, kShape, "[slotScores] the score needs columnA");
  TRIMKV_REQUIRE(is_column(out, DType::kF32, size) && contiguous(out), kShape, "[slotScores] out must be [B, H, cap] f32");
  return {};
}

Status run(const Call& c) {
  const View &count = c.tensors[0], &slot_index = c.tensors[1], &seen = c.tensors[2], &out = c.tensors[5];
  const SlotSizes size = slot_sizes(slot_index);
  if (Status status = counts_within("slotScores", count, size); !status.ok()) return status;
  SlotScore score{};
  read_score(c.scalars, score);
  auto head = [&](int64_t unit) {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
    const int32_t* index = head_slots<int32_t>(slot_index, b, h);
    const float* a = c.tensors[3].present ? head_slots<float>(c.tensors[3], b, h) : nullptr;
    const float* second = c.tensors[4].present ? head_slots<float>(c.tensors[4], b, h) : nullptr;
    float* to = head_slots<float>(out, b, h);
    for (int64_t j = 0; j < n; j++) {
      to[j] = rate_slot(score, {index[j], entry(seen, b), a != nullptr ? a + j : nullptr,
                                second != nullptr ? second + j : nullptr});
    }
    for (int64_t j = n; j < size.cap; j++) to[j] = -__builtin_inff();
  };
  parallel_for(*c.pool, size.heads(), head);
  return {};
}

TRIMKV_OP("slotScores", 6, 2, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
