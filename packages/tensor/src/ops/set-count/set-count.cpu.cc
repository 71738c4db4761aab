#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// count [B, H] i32; scalars: value
Status check(const Call& c) {
  const View& count = c.tensors[0];
  TRIMKV_REQUIRE(count.rank == 2 && count.dtype == DType::kI32, kShape, "[setCount] count must be [B, H] i32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], -1) && c.scalars[0] < 0x1p31, kOption, "[setCount] value must be an integer of at least -1");
  return {};
}

Status run(const Call& c) {
  const View& count = c.tensors[0];
  for (int64_t b = 0; b < count.shape[0]; b++) {
    for (int64_t h = 0; h < count.shape[1]; h++) entry(count, b, h) = static_cast<int32_t>(c.scalars[0]);
  }
  return {};
}

TRIMKV_OP("setCount", 1, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
