#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// Vectors on their way at a time: what two pipelines of up to five cycles need, and no more than AVX2 has registers for.
constexpr int kChains = 12;
constexpr int64_t kBlock = kChains * kWidth;

// x, out [N] f32; scalars: factor, term, rounds
Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.rank == 1 && out.rank == 1, kShape, "[fmaChain] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype, "[fmaChain] wrong dtype");
  TRIMKV_REQUIRE(x.shape[0] == out.shape[0], kShape, "[fmaChain] sizes differ");
  TRIMKV_REQUIRE(contiguous(x) && contiguous(out), kShape, "[fmaChain] strided");
  TRIMKV_REQUIRE(c.scalars[2] >= 0 && c.scalars[2] <= 1e6, kOption, "[fmaChain] rounds must be 0…1000000");
  return {};
}

Status run(const Call& c) {
  const float* x = data_of<float>(c.tensors[0]);
  float* out = data_of<float>(c.tensors[1]);
  const Vec factor = broadcast(static_cast<float>(c.scalars[0])), term = broadcast(static_cast<float>(c.scalars[1]));
  const auto rounds = static_cast<int64_t>(c.scalars[2]);
  const int64_t count = c.tensors[0].shape[0];
  auto block = [&](int64_t chunk) {
    const int64_t first = chunk * kBlock, size = count - first < kBlock ? count - first : kBlock;
    const auto bytes = static_cast<uint64_t>(size) * sizeof(float);
    float values[kBlock] = {};
    __builtin_memcpy(values, x + first, bytes);
    Vec v[kChains];
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) v[i] = load(values + i * kWidth);
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; i++) v[i] = fma(v[i], factor, term);
    }
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) store(values + i * kWidth, v[i]);
    __builtin_memcpy(out + first, values, bytes);
  };
  parallel_for(*c.pool, (count + kBlock - 1) / kBlock, block);
  return {};
}

TRIMKV_OP("fmaChain", 2, 3, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
