#include <cmath>

#include "core/load.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// keys [B, H, cap, D], count [B, H] i32, out [B, H, cap] f32. Unit keys are summed in blocks of 64 slots, so that f32
// sums stay exact to a few units of the last place.
constexpr int64_t kSumSlots = 64;
constexpr float kSmallest = 1e-8f;

Status check(const Call& c) {
  const View &keys = c.tensors[0], &count = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(keys.rank == 4, kShape, "[keyDiff] keys must have four axes");
  const SlotSizes size = slot_sizes(keys);
  TRIMKV_REQUIRE(is_slot_rows(keys, size, keys.shape[3]), kShape, "[keyDiff] keys must be [B, H, cap, D] of a float dtype");
  TRIMKV_REQUIRE(is_per_head(count, size), kShape, "[keyDiff] count must be [B, H] i32");
  TRIMKV_REQUIRE(is_column(out, DType::kF32, size) && contiguous(out), kShape, "[keyDiff] out must be [B, H, cap] f32");
  return {};
}

// Per head: the sum of a block, and of all blocks.
int64_t workspace(const Call& c) { return slot_sizes(c.tensors[0]).heads() * 2 * c.tensors[0].shape[3] * 4; }

template <typename T>
float length(const T* key, int64_t D) {
  const float norm = std::sqrt(dot(key, key, D));
  return norm > kSmallest ? norm : kSmallest;
}

template <typename T>
void add_scaled(float* to, const T* from, float factor, int64_t D) {
  const Vec scale = broadcast(factor);
  each_vec(D, [&](int64_t d, int64_t lanes) {
    store_some(to + d, fma(load_some(from + d, lanes), scale, load_some(to + d, lanes)), lanes);
  });
}

struct HeadRows {
  int64_t count, stride, D;
};

template <typename T>
void rate_head(const T* keys, const HeadRows& rows, float* sums, float* to) {
  float* block = sums + rows.D;
  __builtin_memset(sums, 0, static_cast<uint64_t>(rows.D) * sizeof(float));
  for (int64_t first = 0; first < rows.count; first += kSumSlots) {
    __builtin_memset(block, 0, static_cast<uint64_t>(rows.D) * sizeof(float));
    for (int64_t j = first; j < least(first + kSumSlots, rows.count); j++) {
      to[j] = 1.0f / length(keys + j * rows.stride, rows.D);
      add_scaled(block, keys + j * rows.stride, to[j], rows.D);
    }
    add_scaled(sums, block, 1.0f, rows.D);
  }
  const float part = 1.0f / static_cast<float>(rows.count);
  const float mean_length = length(sums, rows.D) * part;
  const float factor = -part / (mean_length > kSmallest ? mean_length : kSmallest);
  for (int64_t j = 0; j < rows.count; j++) to[j] *= dot(keys + j * rows.stride, sums, rows.D) * factor;
}

Status run(const Call& c) {
  const View &keys = c.tensors[0], &count = c.tensors[1], &out = c.tensors[2];
  const SlotSizes size = slot_sizes(keys);
  const int64_t D = keys.shape[3];
  if (Status status = counts_within("keyDiff", count, size); !status.ok()) return status;
  auto head = [&](int64_t unit) {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
    float* to = head_slots<float>(out, b, h);
    float* sums = reinterpret_cast<float*>(c.workspace) + unit * 2 * D;
    visit_float(keys.dtype, [&](auto type) {
      rate_head(head_slots<decltype(type)>(keys, b, h), {n, keys.stride[2], D}, sums, to);
    });
    for (int64_t j = n; j < size.cap; j++) to[j] = 0.0f;
  };
  parallel_for(*c.pool, size.heads(), head);
  return {};
}

TRIMKV_OP("keyDiff", 3, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
