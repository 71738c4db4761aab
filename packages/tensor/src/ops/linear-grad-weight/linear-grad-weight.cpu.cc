#include "core/gemm.h"
#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// dy [N, O], x [N, K] f32 (rows of both strided), out [O, K] f32
Status check(const Call& c) {
  const View &dy = c.tensors[0], &x = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(dy.rank == 2 && x.rank == 2 && out.rank == 2, kShape, "[linearGradWeight] wrong rank");
  TRIMKV_REQUIRE(dy.dtype == DType::kF32 && x.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype,
                 "[linearGradWeight] wrong dtype");
  TRIMKV_REQUIRE(x.shape[0] == dy.shape[0] && out.shape[0] == dy.shape[1] && out.shape[1] == x.shape[1], kShape,
                 "[linearGradWeight] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(dy, 1) && contiguous_from(x, 1) && contiguous(out), kShape,
                 "[linearGradWeight] strided");
  return {};
}

// A slab of both operands: panels of x, then strips of dy.
struct Slab {
  int64_t depth, panels, strips;  // floats of each

  Slab(const View& dy, const View& x)
      : depth(gemm_slab_depth(dy.shape[1] + x.shape[1], x.shape[0])),
        panels(depth * ceil_div(x.shape[1], kGemmColumns) * kGemmColumns),
        strips(depth * ceil_div(dy.shape[1], kGemmRows) * kGemmRows) {}
};

int64_t workspace(const Call& c) {
  const Slab slab(c.tensors[0], c.tensors[1]);
  return (slab.panels + slab.strips) * 4;
}

struct Source {
  GemmSource<float> dy, x;
  float *panels, *strips;

  void pack(const GemmPart& part) const {
    pack_strips(dy, part, strips);
    pack_panels(x, part, panels);
  }
  const float* left(int64_t row, const GemmPart& block) const {
    return strips + (block.at / kGemmDepth * ceil_div(dy.width, kGemmRows) + row / kGemmRows) * kGemmStrip;
  }
};

Status run(const Call& c) {
  const View &dy = c.tensors[0], &x = c.tensors[1], &out = c.tensors[2];
  const Slab slab(dy, x);
  float* panels = reinterpret_cast<float*>(c.workspace);
  const Gemm g{dy.shape[1], x.shape[1], x.shape[0], data_of<float>(out), panels, slab.depth, 0};
  const Source source{{data_of<float>(dy), dy.stride[0], dy.shape[1]},
                      {data_of<float>(x), x.stride[0], x.shape[1]},
                      panels,
                      panels + slab.panels};
  gemm<GemmLayout::kAcross>(*c.pool, g, source);
  return {};
}

TRIMKV_OP("linearGradWeight", 3, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
