#include <cmath>

#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x, out: [B, C, H] f32, contiguous; scalars: terms
constexpr int64_t kChunk = 4096;

Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.rank == 3 && x.dtype == DType::kF32 && contiguous(x), kShape, "[logGeometricSum] x must be [B, C, H] f32");
  TRIMKV_REQUIRE(out.dtype == DType::kF32 && has_shape(out, x.shape[0], x.shape[1], x.shape[2]) && contiguous(out), kShape,
                 "[logGeometricSum] out must be [B, C, H] f32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 1), kOption, "[logGeometricSum] terms must be an integer of at least 1");
  return {};
}

Status run(const Call& c) {
  const float* x = data_of<float>(c.tensors[0]);
  float* out = data_of<float>(c.tensors[1]);
  const double terms = c.scalars[0];
  const int64_t count = element_count(c.tensors[0]);
  auto part = [&](int64_t chunk) {
    for (int64_t i = chunk * kChunk; i < least((chunk + 1) * kChunk, count); i++) {
      const double log = static_cast<double>(x[i]);
      const double sum = log == 0 ? std::log(terms) : std::log(std::fabs(std::expm1(terms * log))) - std::log(std::fabs(std::expm1(log)));
      out[i] = static_cast<float>(sum);
    }
  };
  parallel_for(*c.pool, ceil_div(count, kChunk), part);
  return {};
}

TRIMKV_OP("logGeometricSum", 2, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
