#include "core/slot-rank.h"
#include "core/slot-score.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores [B, H, cap] f32, slotIndex [B, H, cap], count [B, H], seen [B] i32, out [B, H, cap] f32; scalars: slots, first, last
Status check(const Call& c) {
  const View &scores = c.tensors[0], &slot_index = c.tensors[1], &count = c.tensors[2], &seen = c.tensors[3],
             &out = c.tensors[4];
  TRIMKV_REQUIRE(scores.rank == 3, kShape, "[weighHeads] scores must have three axes");
  const SlotSizes size = slot_sizes(scores);
  TRIMKV_REQUIRE(is_column(scores, DType::kF32, size), kShape, "[weighHeads] scores must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_column(slot_index, DType::kI32, size), kShape, "[weighHeads] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_per_head(count, size) && is_per_sequence(seen, size), kShape,
                 "[weighHeads] count must be [B, H] i32 and seen [B] i32");
  TRIMKV_REQUIRE(is_column(out, DType::kF32, size) && contiguous(out), kShape, "[weighHeads] out must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 0) && is_whole(c.scalars[1], 0) && is_whole(c.scalars[2], 0), kOption,
                 "[weighHeads] slots, first and last must be integers of at least 0");
  return {};
}

struct Weigh {
  const Call& call;
  const View &scores = call.tensors[0], &slot_index = call.tensors[1], &count = call.tensors[2], &seen = call.tensors[3],
             &out = call.tensors[4];
  const SlotSizes size = slot_sizes(scores);
  const int64_t slots = static_cast<int64_t>(call.scalars[0]);
  const ProtectedRange apart{static_cast<int64_t>(call.scalars[1]), static_cast<int64_t>(call.scalars[2])};

  double share(int64_t b, int64_t h) const;
  void head(int64_t unit) const;
};

// What the best slots of a head have of all its scores; not finite where there is no such share.
double Weigh::share(int64_t b, int64_t h) const {
  const int64_t n = entry(count, b, h);
  const float* from = head_slots<float>(scores, b, h);
  const int32_t* index = head_slots<int32_t>(slot_index, b, h);
  uint64_t* keys = reinterpret_cast<uint64_t*>(call.workspace) + (b * size.H + h) * size.cap;
  int64_t counted = 0;
  double all = 0, best = 0;
  for (int64_t j = 0; j < n; j++) {
    if (apart.holds(index[j], entry(seen, b))) continue;
    all += static_cast<double>(from[j]);
    keys[counted++] = key_of(from[j], index[j]);
  }
  if (slots == 0) return best / all;
  const uint64_t lowest = counted > slots ? kth_largest(keys, counted, slots) : 0;
  for (int64_t j = 0; j < n; j++) {
    if (apart.holds(index[j], entry(seen, b))) continue;
    if (key_of(from[j], index[j]) >= lowest) best += static_cast<double>(from[j]);
  }
  return best / all;
}

void Weigh::head(int64_t unit) const {
  const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
  const float* from = head_slots<float>(scores, b, h);
  float* to = head_slots<float>(out, b, h);
  const double factor = share(b, h);
  const bool weighs = factor - factor == 0;
  for (int64_t j = 0; j < size.cap; j++) {
    to[j] = weighs && j < n ? static_cast<float>(static_cast<double>(from[j]) * factor) : from[j];
  }
}

// A key per slot.
int64_t workspace(const Call& c) { return element_count(c.tensors[0]) * static_cast<int64_t>(sizeof(uint64_t)); }

Status run(const Call& c) {
  const Weigh weigh{c};
  if (Status status = counts_within("weighHeads", weigh.count, weigh.size); !status.ok()) return status;
  auto head = [&](int64_t unit) { weigh.head(unit); };
  parallel_for(*c.pool, weigh.size.heads(), head);
  return {};
}

TRIMKV_OP("weighHeads", 5, 3, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
