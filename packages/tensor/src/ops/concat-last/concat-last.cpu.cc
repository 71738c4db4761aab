#include <cstring>

#include "core/op.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// a [N, H, D1], b [N, H, D2] f32 (rows strided), out [N, H, D1 + D2] f32
Status check(const Call& c) {
  const View &a = c.tensors[0], &b = c.tensors[1], &out = c.tensors[2];
  for (const View* v : {&a, &b, &out}) {
    TRIMKV_REQUIRE(v->rank == 3, kShape, "[concatLast] wrong rank");
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[concatLast] wrong dtype");
    TRIMKV_REQUIRE(v->shape[0] == a.shape[0] && v->shape[1] == a.shape[1], kShape, "[concatLast] sizes differ");
    TRIMKV_REQUIRE(contiguous_from(*v, 1), kShape, "[concatLast] strided");
  }
  TRIMKV_REQUIRE(out.shape[2] == a.shape[2] + b.shape[2] && contiguous(out), kShape, "[concatLast] sizes differ");
  return {};
}

Status run(const Call& c) {
  const View &a = c.tensors[0], &b = c.tensors[1], &out = c.tensors[2];
  const int64_t heads = a.shape[1], left = a.shape[2], right = b.shape[2];
  auto row = [&](int64_t n) {
    for (int64_t h = 0; h < heads; h++) {
      float* to = data_of<float>(out) + (n * heads + h) * (left + right);
      std::memcpy(to, data_of<float>(a) + n * a.stride[0] + h * left, static_cast<size_t>(left) * sizeof(float));
      std::memcpy(to + left, data_of<float>(b) + n * b.stride[0] + h * right,
                  static_cast<size_t>(right) * sizeof(float));
    }
  };
  parallel_for(*c.pool, a.shape[0], row);
  return {};
}

TRIMKV_OP("concatLast", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
