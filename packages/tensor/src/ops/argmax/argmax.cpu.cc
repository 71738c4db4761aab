#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// The largest element that is not NaN, −inf when there is none; four maxima on their way at a time.
float largest(const float* in, int64_t n) {
  // `max` gives its second argument for NaN, so that NaN never leads.
  const Vec lowest = broadcast(-__builtin_inff());
  Vec most[4] = {lowest, lowest, lowest, lowest};
  int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    for (int k = 0; k < 4; k++) most[k] = max(load(in + i + k * kWidth), most[k]);
  }
  each_vec(n - i, [&](int64_t j, int64_t lanes) { most[0] = max(load_or(in + i + j, lanes, lowest), most[0]); });
  return max_lane(max(max(most[0], most[1]), max(most[2], most[3])));
}

// x [N, V] f32 (rows strided), out [N] i32
Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.rank == 2 && out.rank == 1, kShape, "[argmax] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kI32, kDtype, "[argmax] wrong dtype");
  TRIMKV_REQUIRE(x.shape[0] == out.shape[0] && x.shape[1] > 0, kShape, "[argmax] sizes differ, or rows are empty");
  TRIMKV_REQUIRE(x.shape[1] <= INT32_MAX, kShape, "[argmax] a row is too long");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous(out), kShape, "[argmax] strided");
  return {};
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  const int64_t width = x.shape[1];
  auto row = [&](int64_t n) {
    const float* in = data_of<float>(x) + n * x.stride[0];
    const float top = largest(in, width);
    int64_t best = 0;
    while (best < width && in[best] != top) best++;
    data_of<int32_t>(out)[n] = best < width ? static_cast<int32_t>(best) : 0;
  };
  parallel_for(*c.pool, x.shape[0], row);
  return {};
}

TRIMKV_OP("argmax", 2, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
