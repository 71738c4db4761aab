#include "core/op.h"
#include "core/rms-scale.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// Rows are summed in blocks: enough elements to be worth a chunk, and no more blocks than kMaxBlocks.
constexpr int64_t kBlockElements = 16384, kMaxBlocks = 64;

struct Blocks {
  int64_t rows, count;
};
Blocks blocks_of(int64_t rows, int64_t width) {
  const int64_t fitting = kBlockElements / (width > 0 ? width : 1), fewest = (rows + kMaxBlocks - 1) / kMaxBlocks;
  const int64_t wanted = fitting > fewest ? fitting : fewest, each = wanted > 0 ? wanted : 1;
  return {each, (rows + each - 1) / each};
}

// x, dy [N, C] f32 (rows strided), out [C] f32; scalars: eps
Status check(const Call& c) {
  const View &x = c.tensors[0], &dy = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(x.rank == 2 && dy.rank == 2 && out.rank == 1, kShape, "[rmsNormGradWeight] wrong rank");
  for (const View* v : {&x, &dy, &out})
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[rmsNormGradWeight] wrong dtype");
  TRIMKV_REQUIRE(dy.shape[0] == x.shape[0] && dy.shape[1] == x.shape[1] && out.shape[0] == x.shape[1], kShape,
                 "[rmsNormGradWeight] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous_from(dy, 1) && contiguous(out), kShape,
                 "[rmsNormGradWeight] strided");
  return {};
}

// One sum per block.
int64_t workspace(const Call& c) {
  const View& x = c.tensors[0];
  return blocks_of(x.shape[0], x.shape[1]).count * x.shape[1] * 4;
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &dy = c.tensors[1], &out = c.tensors[2];
  const int64_t rows = x.shape[0], width = x.shape[1];
  const Blocks blocks = blocks_of(rows, width);
  const float eps = static_cast<float>(c.scalars[0]);
  float* sums = reinterpret_cast<float*>(c.workspace);
  auto block = [&](int64_t index) {
    float* to = sums + index * width;
    __builtin_memset(to, 0, static_cast<uint64_t>(width) * sizeof(float));
    const int64_t first = index * blocks.rows, last = first + blocks.rows < rows ? first + blocks.rows : rows;
    for (int64_t n = first; n < last; n++) {
      const float* in = data_of<float>(x) + n * x.stride[0];
      const float* grad = data_of<float>(dy) + n * dy.stride[0];
      const Vec scale = broadcast(rms_scale(in, width, eps));
      each_vec(width, [&](int64_t i, int64_t lanes) {
        const Vec scaled = load_some(in + i, lanes) * scale;
        store_some(to + i, fma(load_some(grad + i, lanes), scaled, load_some(to + i, lanes)), lanes);
      });
    }
  };
  parallel_for(*c.pool, blocks.count, block);
  each_vec(width, [&](int64_t i, int64_t lanes) {
    Vec total{};
    for (int64_t index = 0; index < blocks.count; index++) total += load_some(sums + index * width + i, lanes);
    store_some(data_of<float>(out) + i, total, lanes);
  });
  return {};
}

TRIMKV_OP("rmsNormGradWeight", 3, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
