#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// kept [B, H, budget] i32, count [B, H] i32: the old count in, the new one out
Status check(const Call& c) {
  const View &kept = c.tensors[0], &count = c.tensors[1];
  TRIMKV_REQUIRE(kept.rank == 3, kShape, "[countKept] kept must have three axes");
  const SlotSizes size = slot_sizes(kept);
  TRIMKV_REQUIRE(is_column(kept, DType::kI32, size), kShape, "[countKept] kept must be [B, H, budget] i32");
  TRIMKV_REQUIRE(is_per_head(count, size), kShape, "[countKept] count must be [B, H] i32");
  return {};
}

Status run(const Call& c) {
  const View &kept = c.tensors[0], &count = c.tensors[1];
  if (Status status = kept_within("countKept", kept, count); !status.ok()) return status;
  for (int64_t b = 0; b < kept.shape[0]; b++) {
    for (int64_t h = 0; h < kept.shape[1]; h++) {
      entry(count, b, h) = static_cast<int32_t>(kept_slots(kept, b, h, entry(count, b, h)).count);
    }
  }
  return {};
}

TRIMKV_OP("countKept", 2, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
