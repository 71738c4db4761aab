#include "core/slot-rank.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores [B, H, cap] f32, slotIndex [B, H, cap], count, quota? [B, H] i32, out [B, H, budget] i32; scalars: budget, share, least
struct Select {
  const Call& call;
  const View &scores = call.tensors[0], &slot_index = call.tensors[1], &count = call.tensors[2], &quota = call.tensors[3],
             &out = call.tensors[4];
  const SlotSizes size = slot_sizes(scores);
  const int64_t budget = out.shape[2];

  const double share = call.scalars[1], floor = call.scalars[2];

  int64_t wanted(int64_t b, int64_t h) const {
    if (!quota.present) return budget;
    const int64_t own = entry(quota, b, h), sure = least(own, static_cast<int64_t>(floor));
    const int64_t part = static_cast<int64_t>(share * static_cast<double>(own));
    return least(budget, part < sure ? sure : part);
  }
  void head(int64_t unit) const;
};

void Select::head(int64_t unit) const {
  const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h), most = wanted(b, h);
  const float* score = head_slots<float>(scores, b, h);
  const int32_t* index = head_slots<int32_t>(slot_index, b, h);
  int32_t* to = head_slots<int32_t>(out, b, h);
  uint64_t lowest = 0;
  if (n > most && most > 0) {
    uint64_t* keys = reinterpret_cast<uint64_t*>(call.workspace) + unit * size.cap;
    for (int64_t j = 0; j < n; j++) keys[j] = key_of(score[j], index[j]);
    lowest = kth_largest(keys, n, most);
  }
  int64_t kept = 0;
  for (int64_t j = 0; j < n && kept < most; j++) {
    if (key_of(score[j], index[j]) >= lowest) to[kept++] = static_cast<int32_t>(j);
  }
  for (; kept < budget; kept++) to[kept] = -1;
}

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 3 && c.tensors[4].rank == 3, kShape, "[select] wrong rank");
  const Select s{c};
  TRIMKV_REQUIRE(is_column(s.scores, DType::kF32, s.size), kShape, "[select] scores must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_column(s.slot_index, DType::kI32, s.size), kShape, "[select] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_per_head(s.count, s.size), kShape, "[select] count must be [B, H] i32");
  TRIMKV_REQUIRE(!s.quota.present || is_per_head(s.quota, s.size), kShape, "[select] quota must be [B, H] i32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 1), kOption, "[select] budget must be a positive integer");
  TRIMKV_REQUIRE(s.share >= 0 && s.share <= 1, kOption, "[select] share must be a number from 0 to 1");
  TRIMKV_REQUIRE(is_whole(s.floor, 0), kOption, "[select] least must be an integer of at least 0");
  TRIMKV_REQUIRE(s.out.dtype == DType::kI32 && has_shape(s.out, s.size.B, s.size.H, c.scalars[0]) && contiguous(s.out), kShape,
                 "[select] out must be [B, H, budget] i32");
  return {};
}

int64_t workspace(const Call& c) { return element_count(c.tensors[0]) * static_cast<int64_t>(sizeof(uint64_t)); }

Status run(const Call& c) {
  const Select s{c};
  if (Status status = counts_within("select", s.count, s.size); !status.ok()) return status;
  for (int64_t unit = 0; s.quota.present && unit < s.size.heads(); unit++) {
    const int64_t b = unit / s.size.H, h = unit % s.size.H;
    TRIMKV_REQUIRE(entry(s.quota, b, h) >= 0, kInvariant, "[select] sequence %d, head %d may keep %d slots",
                   static_cast<int>(b), static_cast<int>(h), entry(s.quota, b, h));
  }
  auto head = [&](int64_t unit) { s.head(unit); };
  parallel_for(*c.pool, s.size.heads(), head);
  return {};
}

TRIMKV_OP("select", 5, 3, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
