#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// scores [B, H, cap] f32, count [B, H], slotIndex [B, H, cap], seen [B] i32, out [B, H, cap]
// scalars: kernel, kind (0 max, 1 avg), exclude
Status check(const Call& c) {
  const View &scores = c.tensors[0], &count = c.tensors[1], &slot_index = c.tensors[2], &seen = c.tensors[3],
             &out = c.tensors[4];
  TRIMKV_REQUIRE(scores.rank == 3, kShape, "[pool] scores must have three axes");
  const SlotSizes size = slot_sizes(scores);
  TRIMKV_REQUIRE(is_column(scores, DType::kF32, size), kShape, "[pool] scores must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_per_head(count, size) && is_per_sequence(seen, size), kShape,
                 "[pool] count must be [B, H] i32 and seen [B] i32");
  TRIMKV_REQUIRE(is_column(slot_index, DType::kI32, size), kShape, "[pool] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_column(out, DType::kF32, size) && contiguous(out), kShape, "[pool] out must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 1) && static_cast<int64_t>(c.scalars[0]) % 2 == 1, kOption,
                 "[pool] kernel must be odd and positive");
  TRIMKV_REQUIRE((c.scalars[1] == 0 || c.scalars[1] == 1) && is_whole(c.scalars[2], 0), kOption,
                 "[pool] unknown kind, or a negative exclude");
  return {};
}

float largest(const float* scores, int64_t first, int64_t last) {
  float best = scores[first];
  for (int64_t j = first + 1; j < last; j++) best = scores[j] > best ? scores[j] : best;
  return best;
}

float average(const float* scores, int64_t first, int64_t last, int64_t kernel) {
  double sum = 0;
  for (int64_t j = first; j < last; j++) sum += static_cast<double>(scores[j]);
  return static_cast<float>(sum / static_cast<double>(kernel));
}

// Whether the stored tokens of every head are in ascending order.
Status slots_ordered(const View& count, const View& slot_index, const SlotSizes& size) {
  for (int64_t unit = 0; unit < size.heads(); unit++) {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
    const int32_t* index = head_slots<int32_t>(slot_index, b, h);
    for (int64_t j = 1; j < n; j++) {
      TRIMKV_REQUIRE(index[j - 1] < index[j], kInvariant, "[pool] slots of sequence %d, head %d are not in token order",
                     static_cast<int>(b), static_cast<int>(h));
    }
  }
  return {};
}

Status run(const Call& c) {
  const View &scores = c.tensors[0], &count = c.tensors[1], &slot_index = c.tensors[2], &seen = c.tensors[3],
             &out = c.tensors[4];
  const SlotSizes size = slot_sizes(scores);
  if (Status status = counts_within("pool", count, size); !status.ok()) return status;
  if (Status status = slots_ordered(count, slot_index, size); !status.ok()) return status;
  const int64_t kernel = static_cast<int64_t>(c.scalars[0]), half = kernel / 2, exclude = static_cast<int64_t>(c.scalars[2]);
  auto head = [&](int64_t unit) {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h), oldest = entry(seen, b) - exclude;
    const int32_t* index = head_slots<int32_t>(slot_index, b, h);
    const float* from = head_slots<float>(scores, b, h);
    float* to = head_slots<float>(out, b, h);
    int64_t candidates = 0;
    while (candidates < n && index[candidates] < oldest) candidates++;
    for (int64_t j = 0; j < candidates; j++) {
      const int64_t first = j > half ? j - half : 0, last = least(candidates - 1 - j, half) + j + 1;
      to[j] = c.scalars[1] == 0 ? largest(from, first, last) : average(from, first, last, kernel);
    }
    for (int64_t j = candidates; j < size.cap; j++) to[j] = from[j];
  };
  parallel_for(*c.pool, size.heads(), head);
  return {};
}

TRIMKV_OP("pool", 5, 3, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
