#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores [B, H, cap] f32, count [B, H] i32, out [B, H, cap]; heads are summed in order, in f64
constexpr int64_t kChunkSlots = 512;

Status check(const Call& c) {
  const View &scores = c.tensors[0], &count = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(scores.rank == 3, kShape, "[shareHeads] scores must have three axes");
  const SlotSizes size = slot_sizes(scores);
  TRIMKV_REQUIRE(is_column(scores, DType::kF32, size), kShape, "[shareHeads] scores must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_per_head(count, size), kShape, "[shareHeads] count must be [B, H] i32");
  TRIMKV_REQUIRE(is_column(out, DType::kF32, size) && contiguous(out), kShape, "[shareHeads] out must be [B, H, cap] f32");
  return {};
}

Status run(const Call& c) {
  const View &scores = c.tensors[0], &count = c.tensors[1], &out = c.tensors[2];
  const SlotSizes size = slot_sizes(scores);
  if (Status status = counts_within("shareHeads", count, size); !status.ok()) return status;
  for (int64_t b = 0; b < size.B; b++) {
    for (int64_t h = 1; h < size.H; h++) {
      TRIMKV_REQUIRE(entry(count, b, h) == entry(count, b, 0), kInvariant,
                     "[shareHeads] heads of sequence %d store different numbers of slots: %d and %d", static_cast<int>(b),
                     entry(count, b, 0), entry(count, b, h));
    }
  }
  const int64_t chunks = ceil_div(size.cap, kChunkSlots);
  auto slots = [&](int64_t unit) {
    const int64_t b = unit / chunks, first = unit % chunks * kChunkSlots, last = least(first + kChunkSlots, size.cap);
    const int64_t stored = size.H > 0 ? entry(count, b, 0) : 0;
    for (int64_t j = first; j < last; j++) {
      double sum = 0;
      for (int64_t h = 0; h < size.H; h++) sum += static_cast<double>(head_slots<float>(scores, b, h)[j]);
      const float mean = static_cast<float>(sum / static_cast<double>(size.H));
      for (int64_t h = 0; h < size.H; h++) {
        head_slots<float>(out, b, h)[j] = j < stored ? mean : head_slots<float>(scores, b, h)[j];
      }
    }
  };
  parallel_for(*c.pool, size.B * chunks, slots);
  return {};
}

TRIMKV_OP("shareHeads", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
