#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores, weights [B, H, cap] f32, count [B, H] i32, kept? [B, H, m] i32, out [B, H, cap] f32; scalars: epsilon
Status check(const Call& c) {
  const View &scores = c.tensors[0], &weights = c.tensors[1], &count = c.tensors[2], &kept = c.tensors[3],
             &out = c.tensors[4];
  TRIMKV_REQUIRE(scores.rank == 3, kShape, "[weighScores] scores must have three axes");
  const SlotSizes size = slot_sizes(scores);
  TRIMKV_REQUIRE(is_column(scores, DType::kF32, size) && is_column(weights, DType::kF32, size), kShape,
                 "[weighScores] scores and weights must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_per_head(count, size), kShape, "[weighScores] count must be [B, H] i32");
  TRIMKV_REQUIRE(!kept.present || (kept.rank == 3 && is_column(kept, DType::kI32, {size.B, size.H, kept.shape[2]})), kShape,
                 "[weighScores] kept must be [B, H, m] i32");
  TRIMKV_REQUIRE(is_column(out, DType::kF32, size) && contiguous(out), kShape, "[weighScores] out must be [B, H, cap] f32");
  return {};
}

Status run(const Call& c) {
  const View &scores = c.tensors[0], &weights = c.tensors[1], &count = c.tensors[2], &kept = c.tensors[3],
             &out = c.tensors[4];
  const SlotSizes size = slot_sizes(scores);
  const float epsilon = static_cast<float>(c.scalars[0]);
  if (Status status = counts_within("weighScores", count, size); !status.ok()) return status;
  if (kept.present) {
    if (Status status = kept_within("weighScores", kept, count); !status.ok()) return status;
  }
  auto head = [&](int64_t unit) {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
    const float *from = head_slots<float>(scores, b, h), *weight = head_slots<float>(weights, b, h);
    float* to = head_slots<float>(out, b, h);
    for (int64_t j = 0; j < size.cap; j++) to[j] = j < n ? (from[j] + epsilon) * weight[j] : from[j];
    if (!kept.present) return;
    const Kept chosen = kept_slots(kept, b, h, n);
    for (int64_t i = 0; i < chosen.count; i++) to[chosen.slots[i]] = __builtin_inff();
  };
  parallel_for(*c.pool, size.heads(), head);
  return {};
}

TRIMKV_OP("weighScores", 5, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
