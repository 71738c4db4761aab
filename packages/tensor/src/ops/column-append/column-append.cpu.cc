#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// values [B, C, H] f32, slots [B, C, H] i32, column [B, H, cap] f32
int64_t at(const View& v, int64_t b, int64_t c, int64_t h) { return b * v.stride[0] + c * v.stride[1] + h * v.stride[2]; }

Status check(const Call& c) {
  const View &values = c.tensors[0], &slots = c.tensors[1], &column = c.tensors[2];
  TRIMKV_REQUIRE(values.rank == 3 && column.rank == 3, kShape, "[columnAppend] wrong rank");
  const SlotSizes size = slot_sizes(column);
  TRIMKV_REQUIRE(values.dtype == DType::kF32 && has_shape(values, size.B, values.shape[1], size.H), kShape,
                 "[columnAppend] values must be [B, C, H] f32");
  TRIMKV_REQUIRE(slots.dtype == DType::kI32 && has_shape(slots, size.B, values.shape[1], size.H), kShape,
                 "[columnAppend] slots must be [B, C, H] i32");
  TRIMKV_REQUIRE(is_column(column, DType::kF32, size), kShape, "[columnAppend] column must be [B, H, cap] f32");
  return {};
}

// Every (sequence, token, head) with its slot; stops at the first status that is not ok.
template <typename F>
Status each_slot(const View& slots, F body) {
  for (int64_t b = 0; b < slots.shape[0]; b++) {
    for (int64_t c = 0; c < slots.shape[1]; c++) {
      for (int64_t h = 0; h < slots.shape[2]; h++) {
        const int64_t slot = data_of<int32_t>(slots)[at(slots, b, c, h)];
        if (Status status = body(b, c, h, slot); !status.ok()) return status;
      }
    }
  }
  return {};
}

Status run(const Call& c) {
  const View &values = c.tensors[0], &slots = c.tensors[1], &column = c.tensors[2];
  const int64_t cap = column.shape[2];
  Status valid = each_slot(slots, [&](int64_t, int64_t, int64_t, int64_t slot) -> Status {
    TRIMKV_REQUIRE(slot >= 0 && slot < cap, kInvariant, "[columnAppend] slot %d is outside 0 … %d", static_cast<int>(slot),
                   static_cast<int>(cap - 1));
    return {};
  });
  if (!valid.ok()) return valid;
  return each_slot(slots, [&](int64_t b, int64_t token, int64_t h, int64_t slot) -> Status {
    head_slots<float>(column, b, h)[slot] = data_of<float>(values)[at(values, b, token, h)];
    return {};
  });
}

TRIMKV_OP("columnAppend", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
