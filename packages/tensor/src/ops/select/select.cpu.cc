#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores [B, H, cap] f32, slotIndex [B, H, cap], count [B, H] i32, out [B, H, budget] i32; scalars: budget
struct Select {
  const Call& call;
  const View &scores = call.tensors[0], &slot_index = call.tensors[1], &count = call.tensors[2], &out = call.tensors[3];
  const SlotSizes size = slot_sizes(scores);
  const int64_t budget = out.shape[2];

  void head(int64_t unit) const;
};

// Orders (score, index) pairs as integers: −0 equals 0 and NaN equals −inf.
uint64_t key_of(float score, int32_t index) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, (score == score ? score : -__builtin_inff()) + 0.0f);
  const uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return static_cast<uint64_t>(ordered) << 32 | (static_cast<uint32_t>(index) ^ 0x80000000u);
}

// The k-th largest of n keys, k ≥ 1: byte by byte from the top, keeping the keys that share it. Reorders the keys.
uint64_t kth_largest(uint64_t* keys, int64_t n, int64_t k) {
  for (int shift = 56; shift >= 0 && n > 1; shift -= 8) {
    int64_t counts[256] = {};
    for (int64_t i = 0; i < n; i++) counts[keys[i] >> shift & 255]++;
    uint64_t digit = 255;
    while (counts[digit] < k) k -= counts[digit--];
    int64_t same = 0;
    for (int64_t i = 0; i < n; i++) {
      if ((keys[i] >> shift & 255) == digit) keys[same++] = keys[i];
    }
    n = same;
  }
  return keys[0];
}

void Select::head(int64_t unit) const {
  const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
  const float* score = head_slots<float>(scores, b, h);
  const int32_t* index = head_slots<int32_t>(slot_index, b, h);
  int32_t* to = head_slots<int32_t>(out, b, h);
  uint64_t lowest = 0;
  if (n > budget) {
    uint64_t* keys = reinterpret_cast<uint64_t*>(call.workspace) + unit * size.cap;
    for (int64_t j = 0; j < n; j++) keys[j] = key_of(score[j], index[j]);
    lowest = kth_largest(keys, n, budget);
  }
  int64_t kept = 0;
  for (int64_t j = 0; j < n && kept < budget; j++) {
    if (key_of(score[j], index[j]) >= lowest) to[kept++] = static_cast<int32_t>(j);
  }
  for (; kept < budget; kept++) to[kept] = -1;
}

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 3 && c.tensors[3].rank == 3, kShape, "[select] wrong rank");
  const Select s{c};
  TRIMKV_REQUIRE(is_column(s.scores, DType::kF32, s.size), kShape, "[select] scores must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_column(s.slot_index, DType::kI32, s.size), kShape, "[select] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_per_head(s.count, s.size), kShape, "[select] count must be [B, H] i32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 1), kOption, "[select] budget must be a positive integer");
  TRIMKV_REQUIRE(s.out.dtype == DType::kI32 && has_shape(s.out, s.size.B, s.size.H, c.scalars[0]) && contiguous(s.out), kShape,
                 "[select] out must be [B, H, budget] i32");
  return {};
}

int64_t workspace(const Call& c) { return element_count(c.tensors[0]) * static_cast<int64_t>(sizeof(uint64_t)); }

Status run(const Call& c) {
  const Select s{c};
  if (Status status = counts_within("select", s.count, s.size); !status.ok()) return status;
  auto head = [&](int64_t unit) { s.head(unit); };
  parallel_for(*c.pool, s.size.heads(), head);
  return {};
}

TRIMKV_OP("select", 4, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
