#include "core/slot-rank.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores [B, H, cap] f32, count [B, H] i32, out [B, H, cap] f32; scalars: length
Status check(const Call& c) {
  const View &scores = c.tensors[0], &count = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(scores.rank == 3, kShape, "[rankWithin] scores must have three axes");
  const SlotSizes size = slot_sizes(scores);
  TRIMKV_REQUIRE(is_column(scores, DType::kF32, size), kShape, "[rankWithin] scores must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_per_head(count, size), kShape, "[rankWithin] count must be [B, H] i32");
  TRIMKV_REQUIRE(is_column(out, DType::kF32, size) && contiguous(out), kShape, "[rankWithin] out must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 1), kOption, "[rankWithin] length must be an integer of at least 1");
  return {};
}

// A key per slot.
int64_t workspace(const Call& c) { return element_count(c.tensors[0]) * static_cast<int64_t>(sizeof(uint64_t)); }

Status run(const Call& c) {
  const View &scores = c.tensors[0], &count = c.tensors[1], &out = c.tensors[2];
  const SlotSizes size = slot_sizes(scores);
  const int64_t length = static_cast<int64_t>(c.scalars[0]);
  if (Status status = counts_within("rankWithin", count, size); !status.ok()) return status;
  auto head = [&](int64_t unit) {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
    const float* from = head_slots<float>(scores, b, h);
    float* to = head_slots<float>(out, b, h);
    uint64_t* keys = reinterpret_cast<uint64_t*>(c.workspace) + unit * size.cap;
    for (int64_t j = 0; j < n; j++) keys[j] = key_of(from[j], static_cast<int32_t>(j));
    for (int64_t first = 0; first < n; first += length) {
      const int64_t last = least(first + length, n);
      for (int64_t i = first; i < last; i++) {
        int64_t below = 0;
        for (int64_t j = first; j < last; j++) below += keys[j] < keys[i] ? 1 : 0;
        to[i] = static_cast<float>(below) / static_cast<float>(last - first);
      }
    }
    for (int64_t j = n; j < size.cap; j++) to[j] = from[j];
  };
  parallel_for(*c.pool, size.heads(), head);
  return {};
}

TRIMKV_OP("rankWithin", 3, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
