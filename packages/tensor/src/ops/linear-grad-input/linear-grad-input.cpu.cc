#include "core/gemm.h"
#include "core/load.h"
#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// dy [N, O] f32 (rows strided), weight [O, K], out [N, K] f32
Status check(const Call& c) {
  const View &dy = c.tensors[0], &weight = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(dy.rank == 2 && weight.rank == 2 && out.rank == 2, kShape, "[linearGradInput] wrong rank");
  TRIMKV_REQUIRE(dy.dtype == DType::kF32 && is_float(weight.dtype) && out.dtype == DType::kF32, kDtype,
                 "[linearGradInput] wrong dtype");
  TRIMKV_REQUIRE(weight.shape[0] == dy.shape[1] && out.shape[0] == dy.shape[0] && out.shape[1] == weight.shape[1],
                 kShape, "[linearGradInput] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(dy, 1) && contiguous(weight) && contiguous(out), kShape,
                 "[linearGradInput] strided");
  return {};
}

int64_t slab_depth(const View& weight) { return gemm_slab_depth(weight.shape[1], weight.shape[0]); }

// A slab of the weight.
int64_t workspace(const Call& c) {
  const View& weight = c.tensors[1];
  return slab_depth(weight) * ceil_div(weight.shape[1], kGemmColumns) * kGemmColumns * 4;
}

// The weight is packed, dy is read in place.
struct Source {
  const View &dy, &weight;
  float* panels;

  void pack(const GemmPart& part) const {
    visit_float(weight.dtype, [&](auto type) {
      using T = decltype(type);
      pack_panels(GemmSource<T>{data_of<T>(weight), weight.shape[1], weight.shape[1]}, part, panels);
    });
  }
  const float* left(int64_t row, const GemmPart& block) const {
    return data_of<float>(dy) + row * dy.stride[0] + block.first;
  }
};

Status run(const Call& c) {
  const View &dy = c.tensors[0], &weight = c.tensors[1], &out = c.tensors[2];
  float* panels = reinterpret_cast<float*>(c.workspace);
  const Gemm g{dy.shape[0], weight.shape[1],    weight.shape[0], data_of<float>(out),
               panels,      slab_depth(weight), dy.stride[0]};
  gemm<GemmLayout::kAlong>(*c.pool, g, Source{dy, weight, panels});
  return {};
}

TRIMKV_OP("linearGradInput", 3, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
