#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// from [B, H, capA(, W)], to [B, H, capB(, W)] of one dtype, count [B, H], kept? [B, H, budget] i32
struct Move {
  const Call& call;
  const View &from = call.tensors[0], &to = call.tensors[1], &count = call.tensors[2], &kept = call.tensors[3];
  const SlotSizes size = slot_sizes(from);

  int64_t moved(int64_t b, int64_t h) const {
    return kept.present ? kept_slots(kept, b, h, entry(count, b, h)).count : entry(count, b, h);
  }

  void head(int64_t unit) const {
    const int64_t b = unit / size.H, h = unit % size.H, n = moved(b, h);
    const int32_t* slots = kept.present ? head_slots<int32_t>(kept, b, h) : nullptr;
    const ByteRows source = byte_rows(from, b, h), target = byte_rows(to, b, h);
    for (int64_t j = 0; j < n; j++) {
      __builtin_memcpy(target.row(j), source.row(slots != nullptr ? slots[j] : j), static_cast<uint64_t>(source.bytes));
    }
  }
};

Status check(const Call& c) {
  const Move m{c};
  TRIMKV_REQUIRE((m.from.rank == 3 || m.from.rank == 4) && m.to.rank == m.from.rank && m.to.dtype == m.from.dtype, kShape,
                 "[moveSlots] from and to must have three or four axes and one dtype");
  TRIMKV_REQUIRE(m.to.shape[0] == m.size.B && m.to.shape[1] == m.size.H, kShape, "[moveSlots] sizes of from and to differ");
  TRIMKV_REQUIRE(m.from.rank == 3 || m.to.shape[3] == m.from.shape[3], kShape, "[moveSlots] row widths differ");
  TRIMKV_REQUIRE(contiguous_from(m.from, 3) && contiguous_from(m.to, 3), kShape, "[moveSlots] rows must be dense");
  TRIMKV_REQUIRE(is_per_head(m.count, m.size), kShape, "[moveSlots] count must be [B, H] i32");
  if (!m.kept.present) return {};
  TRIMKV_REQUIRE(m.kept.rank == 3 && is_column(m.kept, DType::kI32, {m.size.B, m.size.H, m.kept.shape[2]}), kShape,
                 "[moveSlots] kept must be [B, H, budget] i32");
  return {};
}

Status run(const Call& c) {
  const Move m{c};
  if (Status status = counts_within("moveSlots", m.count, m.size); !status.ok()) return status;
  if (m.kept.present) {
    if (Status status = kept_within("moveSlots", m.kept, m.count); !status.ok()) return status;
  }
  for (int64_t unit = 0; unit < m.size.heads(); unit++) {
    const int64_t n = m.moved(unit / m.size.H, unit % m.size.H);
    TRIMKV_REQUIRE(n <= m.to.shape[2], kInvariant, "[moveSlots] %lld slots do not fit into %lld",
                   static_cast<long long>(n), static_cast<long long>(m.to.shape[2]));
  }
  auto head = [&](int64_t unit) { m.head(unit); };
  parallel_for(*c.pool, m.size.heads(), head);
  return {};
}

TRIMKV_OP("moveSlots", 4, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
