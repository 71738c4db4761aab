#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// q [B, C, Hq, D] f32 (outer axes strided), index [B, C] i32, ring [B, w, Hq, D] f32
Status check(const Call& c) {
  const View &q = c.tensors[0], &index = c.tensors[1], &ring = c.tensors[2];
  TRIMKV_REQUIRE(q.rank == 4 && ring.rank == 4, kShape, "[ringAppend] q and ring must have four axes");
  TRIMKV_REQUIRE(q.dtype == DType::kF32 && ring.dtype == DType::kF32 && index.dtype == DType::kI32, kDtype,
                 "[ringAppend] wrong dtype");
  TRIMKV_REQUIRE(has_shape(index, q.shape[0], q.shape[1]), kShape, "[ringAppend] index must be [B, C]");
  TRIMKV_REQUIRE(has_shape(ring, q.shape[0], ring.shape[1], q.shape[2], q.shape[3]) && ring.shape[1] > 0, kShape,
                 "[ringAppend] ring must be [B, w, Hq, D]");
  TRIMKV_REQUIRE(contiguous_from(q, 3) && contiguous_from(ring, 3), kShape, "[ringAppend] rows must be dense");
  return {};
}

Status run(const Call& c) {
  const View &q = c.tensors[0], &index = c.tensors[1], &ring = c.tensors[2];
  const int64_t C = q.shape[1], w = ring.shape[1], first = C > w ? C - w : 0;
  const uint64_t bytes = static_cast<uint64_t>(q.shape[3]) * sizeof(float);
  auto token_at = [&](int64_t b, int64_t t) { return data_of<int32_t>(index)[b * index.stride[0] + t * index.stride[1]]; };
  for (int64_t b = 0; b < q.shape[0]; b++) {
    for (int64_t t = first; t < C; t++) {
      TRIMKV_REQUIRE(token_at(b, t) >= 0, kInvariant, "[ringAppend] index %d of sequence %d is negative", token_at(b, t),
                     static_cast<int>(b));
    }
  }
  for (int64_t b = 0; b < q.shape[0]; b++) {
    for (int64_t t = first; t < C; t++) {
      const float* from = data_of<float>(q) + b * q.stride[0] + t * q.stride[1];
      float* to = data_of<float>(ring) + b * ring.stride[0] + token_at(b, t) % w * ring.stride[1];
      for (int64_t h = 0; h < q.shape[2]; h++) __builtin_memcpy(to + h * ring.stride[2], from + h * q.stride[2], bytes);
    }
  }
  return {};
}

TRIMKV_OP("ringAppend", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
