#include "core/pages.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// count [B, H] i32, data [B, H, cap(, W)] of any dtype
Status check(const Call& c) {
  const View &count = c.tensors[0], &data = c.tensors[1];
  TRIMKV_REQUIRE(data.rank == 3 || data.rank == 4, kShape, "[clearSlots] wrong rank");
  TRIMKV_REQUIRE(is_per_head(count, slot_sizes(data)), kShape, "[clearSlots] count must be [B, H] i32");
  TRIMKV_REQUIRE(contiguous_from(data, 3), kShape, "[clearSlots] rows of data must be dense");
  return {};
}

Status run(const Call& c) {
  const View &count = c.tensors[0], &data = c.tensors[1];
  const SlotSizes size = slot_sizes(data);
  if (Status status = counts_within("clearSlots", count, size); !status.ok()) return status;
  auto head = [&](int64_t unit) {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
    const ByteRows rows = byte_rows(data, b, h);
    if (rows.stride == rows.bytes) {
      clear_pages(rows.row(n), (size.cap - n) * rows.bytes);
      return;
    }
    for (int64_t j = n; j < size.cap; j++) __builtin_memset(rows.row(j), 0, static_cast<uint64_t>(rows.bytes));
  };
  parallel_for(*c.pool, size.heads(), head);
  return {};
}

TRIMKV_OP("clearSlots", 2, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
