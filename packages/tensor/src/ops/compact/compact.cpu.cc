#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// kept [B, H, budget], count [B, H] i32, data [B, H, cap(, W)] of any dtype; scalars: ordered
Status check(const Call& c) {
  const View &kept = c.tensors[0], &count = c.tensors[1], &data = c.tensors[2];
  TRIMKV_REQUIRE(kept.rank == 3 && (data.rank == 3 || data.rank == 4), kShape, "[compact] wrong rank");
  const SlotSizes size = slot_sizes(data);
  TRIMKV_REQUIRE(is_column(kept, DType::kI32, {size.B, size.H, kept.shape[2]}), kShape,
                 "[compact] kept must be [B, H, budget] i32");
  TRIMKV_REQUIRE(is_per_head(count, size), kShape, "[compact] count must be [B, H] i32");
  TRIMKV_REQUIRE(contiguous_from(data, 3), kShape, "[compact] rows of data must be dense");
  TRIMKV_REQUIRE(c.scalars[0] == 0 || c.scalars[0] == 1, kOption, "[compact] ordered must be 0 or 1");
  return {};
}

// Slot j receives the j-th survivor. Ascending slots never overtake the place they move to.
void close_up(const ByteRows& rows, const Kept& kept) {
  for (int64_t j = 0; j < kept.count; j++) {
    const int64_t from = kept.slots[j];
    if (from != j) __builtin_memcpy(rows.row(j), rows.row(from), static_cast<uint64_t>(rows.bytes));
  }
}

// Survivors below the new count stay; the j-th hole there receives the j-th survivor from beyond.
void fill_holes(const ByteRows& rows, const Kept& kept) {
  int64_t staying = 0;
  while (staying < kept.count && kept.slots[staying] < kept.count) staying++;
  int64_t hole = 0, passed = 0;
  for (int64_t j = staying; j < kept.count; j++, hole++) {
    while (passed < staying && kept.slots[passed] == hole) {
      passed++;
      hole++;
    }
    __builtin_memcpy(rows.row(hole), rows.row(kept.slots[j]), static_cast<uint64_t>(rows.bytes));
  }
}

Status run(const Call& c) {
  const View &kept = c.tensors[0], &count = c.tensors[1], &data = c.tensors[2];
  const SlotSizes size = slot_sizes(data);
  if (Status status = counts_within("compact", count, size); !status.ok()) return status;
  if (Status status = kept_within("compact", kept, count); !status.ok()) return status;
  const bool ordered = c.scalars[0] != 0;
  auto head = [&](int64_t unit) {
    const int64_t b = unit / size.H, h = unit % size.H;
    const Kept survivors = kept_slots(kept, b, h, entry(count, b, h));
    if (ordered) {
      close_up(byte_rows(data, b, h), survivors);
    } else {
      fill_holes(byte_rows(data, b, h), survivors);
    }
  };
  parallel_for(*c.pool, size.heads(), head);
  return {};
}

TRIMKV_OP("compact", 3, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
