#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// index [B, C] i32, out [B, C, heads] f32; scalars: seed, layer, heads. Twin of slot-random.ref.ts, bit for bit.
uint32_t mix(uint32_t h) {
  h = (h ^ h >> 16) * 0x85ebca6bu;
  h = (h ^ h >> 13) * 0xc2b2ae35u;
  return h ^ h >> 16;
}
uint32_t add_word(uint32_t hash, uint32_t word) { return mix(hash * 5u + word + 0x9e3779b9u); }

Status check(const Call& c) {
  const View &index = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(index.rank == 2 && index.dtype == DType::kI32, kShape, "[slotRandom] index must be [B, C] i32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 0) && is_whole(c.scalars[1], 0) && is_whole(c.scalars[2], 1), kOption,
                 "[slotRandom] seed and layer must be integers of at least 0, heads of at least 1");
  TRIMKV_REQUIRE(out.dtype == DType::kF32 && has_shape(out, index.shape[0], index.shape[1], c.scalars[2]) && contiguous(out),
                 kShape, "[slotRandom] out must be [B, C, heads] f32");
  return {};
}

Status run(const Call& c) {
  const View &index = c.tensors[0], &out = c.tensors[1];
  const uint32_t seed = static_cast<uint32_t>(static_cast<int64_t>(c.scalars[0]));
  const uint32_t layer = static_cast<uint32_t>(static_cast<int64_t>(c.scalars[1]));
  const uint32_t start = add_word(add_word(0, seed), layer);
  float* to = data_of<float>(out);
  for (int64_t b = 0; b < index.shape[0]; b++) {
    for (int64_t t = 0; t < index.shape[1]; t++) {
      const int32_t token = data_of<int32_t>(index)[b * index.stride[0] + t * index.stride[1]];
      for (int64_t h = 0; h < out.shape[2]; h++) {
        const uint32_t hash = add_word(add_word(start, static_cast<uint32_t>(h)), static_cast<uint32_t>(token));
        *to++ = static_cast<float>(hash >> 8) * 0x1p-24f;
      }
    }
  }
  return {};
}

TRIMKV_OP("slotRandom", 2, 3, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
