#include "core/load.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// k, v [B, C, H, D] f32, index [B, C], keys, values [B, H, cap, D], slotIndex [B, H, cap], count, victim? [B, H],
// out [B, C, H]: the slot of each token. Rows are independent, so any 64 of them make a chunk.
constexpr int64_t kChunkRows = 64;

struct Append {
  const Call& call;
  const View &k = call.tensors[0], &v = call.tensors[1], &index = call.tensors[2], &keys = call.tensors[3],
             &values = call.tensors[4], &slot_index = call.tensors[5], &count = call.tensors[6],
             &victim = call.tensors[7], &out = call.tensors[8];
  const SlotSizes size = slot_sizes(keys);
  const int64_t C = k.shape[1], D = k.shape[3];

  bool overwrites(int64_t b, int64_t h) const { return C == 1 && victim.present && entry(victim, b, h) >= 0; }
  int64_t slot_of(int64_t b, int64_t c, int64_t h) const {
    return overwrites(b, h) ? entry(victim, b, h) : entry(count, b, h) + c;
  }

  template <typename T>
  void store_row(const View& from, const View& to, const int64_t (&at)[4]) const {
    const auto [b, c, h, slot] = at;
    const float* row = data_of<float>(from) + b * from.stride[0] + c * from.stride[1] + h * from.stride[2];
    convert_row(row, head_slots<T>(to, b, h) + slot * to.stride[2], D);
  }

  template <typename T>
  void rows(int64_t chunk) const {
    const int64_t last = least((chunk + 1) * kChunkRows, size.B * C * size.H);
    for (int64_t row = chunk * kChunkRows; row < last; row++) {
      const int64_t b = row / (C * size.H), c = row / size.H % C, h = row % size.H;
      const int64_t slot = slot_of(b, c, h);
      store_row<T>(k, keys, {b, c, h, slot});
      store_row<T>(v, values, {b, c, h, slot});
      head_slots<int32_t>(slot_index, b, h)[slot] = data_of<int32_t>(index)[b * index.stride[0] + c * index.stride[1]];
      data_of<int32_t>(out)[row] = static_cast<int32_t>(slot);
    }
  }

  Status has_room() const {
    for (int64_t b = 0; b < size.B; b++) {
      for (int64_t h = 0; h < size.H; h++) {
        const int64_t n = entry(count, b, h);
        if (overwrites(b, h)) {
          TRIMKV_REQUIRE(entry(victim, b, h) < n, kInvariant, "[kvAppend] victim %d is none of the %lld stored slots",
                         entry(victim, b, h), static_cast<long long>(n));
        } else {
          TRIMKV_REQUIRE(n + C <= size.cap, kInvariant,
                         "[kvAppend] sequence %d, head %d stores %lld of %lld slots, no room for %lld more",
                         static_cast<int>(b), static_cast<int>(h), static_cast<long long>(n),
                         static_cast<long long>(size.cap), static_cast<long long>(C));
        }
      }
    }
    return {};
  }

  void finish(int64_t b, int64_t h) const {
    if (overwrites(b, h)) {
      entry(victim, b, h) = -1;
    } else {
      entry(count, b, h) += static_cast<int32_t>(C);
    }
  }
};

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 4 && c.tensors[3].rank == 4, kShape, "[kvAppend] k and keys must have four axes");
  const Append a{c};
  for (const View* rows : {&a.k, &a.v}) {
    TRIMKV_REQUIRE(rows->dtype == DType::kF32 && has_shape(*rows, a.size.B, a.C, a.size.H, a.D) && contiguous_from(*rows, 3),
                   kShape, "[kvAppend] k and v must be [B, C, H, D] f32");
  }
  TRIMKV_REQUIRE(a.index.dtype == DType::kI32 && has_shape(a.index, a.size.B, a.C), kShape,
                 "[kvAppend] index must be [B, C] i32");
  TRIMKV_REQUIRE(is_slot_rows(a.keys, a.size, a.D) && is_slot_rows(a.values, a.size, a.D) && a.keys.dtype == a.values.dtype,
                 kShape, "[kvAppend] keys and values must be [B, H, cap, D] of one float dtype");
  TRIMKV_REQUIRE(is_column(a.slot_index, DType::kI32, a.size), kShape, "[kvAppend] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_per_head(a.count, a.size) && (!a.victim.present || is_per_head(a.victim, a.size)), kShape,
                 "[kvAppend] count and victim must be [B, H] i32");
  TRIMKV_REQUIRE(a.out.dtype == DType::kI32 && has_shape(a.out, a.size.B, a.C, a.size.H) && contiguous(a.out), kShape,
                 "[kvAppend] out must be [B, C, H] i32");
  return {};
}

Status run(const Call& c) {
  const Append a{c};
  if (Status status = counts_within("kvAppend", a.count, a.size); !status.ok()) return status;
  if (Status status = a.has_room(); !status.ok()) return status;
  if (a.C == 0) return {};
  visit_float(a.keys.dtype, [&](auto type) {
    auto rows = [&](int64_t chunk) { a.rows<decltype(type)>(chunk); };
    parallel_for(*c.pool, ceil_div(a.size.B * a.C * a.size.H, kChunkRows), rows);
  });
  for (int64_t b = 0; b < a.size.B; b++) {
    for (int64_t h = 0; h < a.size.H; h++) a.finish(b, h);
  }
  return {};
}

TRIMKV_OP("kvAppend", 9, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
