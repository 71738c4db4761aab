#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kChunk = 16384;

// into, x: f32 of one shape, all axes but the last strided; scalars: keep, scale
Status check(const Call& c) {
  const View &into = c.tensors[0], &x = c.tensors[1];
  for (const View* v : {&into, &x}) {
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[accumulate] wrong dtype");
    TRIMKV_REQUIRE(v->rank == into.rank, kShape, "[accumulate] wrong rank");
    for (int i = 0; i < v->rank; i++) TRIMKV_REQUIRE(v->shape[i] == into.shape[i], kShape, "[accumulate] sizes differ");
    TRIMKV_REQUIRE(contiguous_from(*v, v->rank > 0 ? v->rank - 1 : 0), kShape, "[accumulate] the last axis is strided");
  }
  return {};
}

// Offset of the first element of row `row`, rows counted over all axes but the last.
int64_t row_offset(const View& v, int64_t row) {
  int64_t offset = 0;
  for (int axis = v.rank - 2; axis >= 0; axis--) {
    offset += row % v.shape[axis] * v.stride[axis];
    row /= v.shape[axis];
  }
  return offset;
}

struct Weights {
  float keep, scale;
};

void add_row(float* into, const float* x, int64_t n, Weights by) {
  each_vec(n, [&](int64_t i, int64_t lanes) {
    const Vec fresh = by.scale * load_some(x + i, lanes);
    store_some(into + i, by.keep == 0 ? fresh : by.keep * load_some(into + i, lanes) + fresh, lanes);
  });
}

Status run(const Call& c) {
  const View &into = c.tensors[0], &x = c.tensors[1];
  const Weights by = {static_cast<float>(c.scalars[0]), static_cast<float>(c.scalars[1])};
  const int64_t count = element_count(into);
  if (count == 0) return {};
  if (contiguous(into) && contiguous(x)) {
    auto part = [&](int64_t chunk) {
      const int64_t first = chunk * kChunk, size = count - first < kChunk ? count - first : kChunk;
      add_row(data_of<float>(into) + first, data_of<float>(x) + first, size, by);
    };
    parallel_for(*c.pool, (count + kChunk - 1) / kChunk, part);
    return {};
  }
  const int64_t width = into.shape[into.rank - 1];
  auto row = [&](int64_t n) {
    add_row(data_of<float>(into) + row_offset(into, n), data_of<float>(x) + row_offset(x, n), width, by);
  };
  parallel_for(*c.pool, count / width, row);
  return {};
}

TRIMKV_OP("accumulate", 2, 2, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
