#include "core/op.h"
#include "core/row-chunks.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x [N, H, D] f32 (rows strided), table [N, R] f32, out [N, H, D] f32; scalars: inverse (0 or 1)
Status check(const Call& c) {
  const View &x = c.tensors[0], &table = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(x.rank == 3 && table.rank == 2 && out.rank == 3, kShape, "[rope] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && table.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype,
                 "[rope] wrong dtype");
  for (int i = 0; i < 3; i++) TRIMKV_REQUIRE(x.shape[i] == out.shape[i], kShape, "[rope] sizes differ");
  TRIMKV_REQUIRE(table.shape[0] == x.shape[0] && table.shape[1] <= x.shape[2] && table.shape[1] % 2 == 0, kShape,
                 "[rope] the table does not fit");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous_from(table, 1) && contiguous(out), kShape, "[rope] strided");
  TRIMKV_REQUIRE(c.scalars[0] == 0 || c.scalars[0] == 1, kOption, "[rope] inverse must be 0 or 1");
  return {};
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &table = c.tensors[1], &out = c.tensors[2];
  const int64_t heads = x.shape[1], width = x.shape[2], half = table.shape[1] / 2;
  const float direction = c.scalars[0] == 1 ? -1.0f : 1.0f;
  parallel_rows(*c.pool, x.shape[0], heads * width, [&](int64_t n) {
    const float* cosines = data_of<float>(table) + n * table.stride[0];
    const float* sines = cosines + half;
    for (int64_t h = 0; h < heads; h++) {
      const float* in = data_of<float>(x) + n * x.stride[0] + h * width;
      float* to = data_of<float>(out) + (n * heads + h) * width;
      each_vec(half, [&](int64_t i, int64_t lanes) {
        const Vec a = load_some(in + i, lanes), b = load_some(in + half + i, lanes);
        const Vec cosine = load_some(cosines + i, lanes), sine = direction * load_some(sines + i, lanes);
        store_some(to + i, a * cosine - b * sine, lanes);
        store_some(to + half + i, b * cosine + a * sine, lanes);
      });
      for (int64_t i = 2 * half; i < width; i++) to[i] = in[i];
    }
  });
  return {};
}

TRIMKV_OP("rope", 3, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
