#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kChunk = 16384;

// a, b, out: contiguous f32 of one shape; scalars: weight of a, weight of b
Status check(const Call& c) {
  const View &a = c.tensors[0], &b = c.tensors[1], &out = c.tensors[2];
  for (const View* v : {&a, &b, &out}) {
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[mix] wrong dtype");
    TRIMKV_REQUIRE(v->rank == a.rank && contiguous(*v), kShape, "[mix] wrong rank, or strided");
    for (int i = 0; i < a.rank; i++) TRIMKV_REQUIRE(v->shape[i] == a.shape[i], kShape, "[mix] sizes differ");
  }
  return {};
}

Status run(const Call& c) {
  const float *a = data_of<float>(c.tensors[0]), *b = data_of<float>(c.tensors[1]);
  float* out = data_of<float>(c.tensors[2]);
  const float alpha = static_cast<float>(c.scalars[0]), beta = static_cast<float>(c.scalars[1]);
  const int64_t count = element_count(c.tensors[0]);
  auto part = [&](int64_t chunk) {
    const int64_t first = chunk * kChunk, size = count - first < kChunk ? count - first : kChunk;
    each_vec(size, [&](int64_t i, int64_t lanes) {
      const Vec left = alpha * load_some(a + first + i, lanes), right = beta * load_some(b + first + i, lanes);
      store_some(out + first + i, left + right, lanes);
    });
  };
  parallel_for(*c.pool, (count + kChunk - 1) / kChunk, part);
  return {};
}

TRIMKV_OP("mix", 3, 2, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
