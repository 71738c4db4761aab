#include <cmath>

#include "core/load.h"
#include "core/op.h"
#include "core/row-chunks.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x [N, H] f32 (rows strided), bias? [H], out [N, H] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &bias = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(x.rank == 2 && out.rank == 2 && (!bias.present || bias.rank == 1), kShape, "[logSigmoid] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype, "[logSigmoid] wrong dtype");
  TRIMKV_REQUIRE(!bias.present || is_float(bias.dtype), kDtype, "[logSigmoid] wrong dtype");
  TRIMKV_REQUIRE(x.shape[0] == out.shape[0] && x.shape[1] == out.shape[1], kShape, "[logSigmoid] sizes differ");
  TRIMKV_REQUIRE(!bias.present || bias.shape[0] == x.shape[1], kShape, "[logSigmoid] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous(out) && (!bias.present || contiguous(bias)), kShape,
                 "[logSigmoid] strided");
  return {};
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &bias = c.tensors[1], &out = c.tensors[2];
  const int64_t width = x.shape[1];
  parallel_rows(*c.pool, x.shape[0], width, [&](int64_t n) {
    const float* in = data_of<float>(x) + n * x.stride[0];
    for (int64_t h = 0; h < width; h++) {
      const float z = in[h] + (bias.present ? element_f32(bias.data, bias.dtype, h) : 0.0f);
      const double value = (z < 0 ? z : 0.0) - std::log1p(std::exp(-std::fabs(static_cast<double>(z))));
      data_of<float>(out)[n * width + h] = static_cast<float>(value);
    }
  });
  return {};
}

TRIMKV_OP("logSigmoid", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
