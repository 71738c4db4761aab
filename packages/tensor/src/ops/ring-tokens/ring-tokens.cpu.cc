#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// seen [B] i32, out [B, w] i32; scalars: window, first
Status check(const Call& c) {
  const View &seen = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(seen.rank == 1 && seen.dtype == DType::kI32, kShape, "[ringTokens] seen must be [B] i32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 1) && is_whole(c.scalars[1], 0), kOption,
                 "[ringTokens] window and first must be integers of at least 1 and 0");
  TRIMKV_REQUIRE(out.dtype == DType::kI32 && has_shape(out, seen.shape[0], c.scalars[0]) && contiguous(out), kShape,
                 "[ringTokens] out must be [B, window] i32");
  return {};
}

Status run(const Call& c) {
  const View &seen = c.tensors[0], &out = c.tensors[1];
  const int64_t w = out.shape[1], shift = static_cast<int64_t>(c.scalars[1]);
  for (int64_t b = 0; b < out.shape[0]; b++) {
    const int64_t tokens = entry(seen, b);
    TRIMKV_REQUIRE(tokens >= 0, kInvariant, "[ringTokens] sequence %d has seen %d tokens", static_cast<int>(b),
                   static_cast<int>(tokens));
  }
  for (int64_t b = 0; b < out.shape[0]; b++) {
    const int64_t tokens = entry(seen, b);
    int32_t* rows = data_of<int32_t>(out) + b * w;
    for (int64_t r = 0; r < w; r++) rows[r] = -1;
    for (int64_t i = tokens > w ? tokens - w : 0; i < tokens; i++) rows[i % w] = static_cast<int32_t>(i + shift);
  }
  return {};
}

TRIMKV_OP("ringTokens", 2, 2, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
