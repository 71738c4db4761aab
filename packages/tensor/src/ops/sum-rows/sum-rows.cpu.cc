#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kBlockRows = 128;
constexpr int64_t kTogether = 4;  // rows added to each other before they meet the sum

// x [N, C] f32 (rows strided), out [C] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.rank == 2 && out.rank == 1, kShape, "[sumRows] wrong rank");
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype, "[sumRows] wrong dtype");
  TRIMKV_REQUIRE(out.shape[0] == x.shape[1], kShape, "[sumRows] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(x, 1) && contiguous(out), kShape, "[sumRows] strided");
  return {};
}

int64_t blocks_of(const View& x) { return (x.shape[0] + kBlockRows - 1) / kBlockRows; }

// A row of sums per block.
int64_t workspace(const Call& c) { return blocks_of(c.tensors[0]) * c.tensors[0].shape[1] * 4; }

// to = the sum of `rows` rows, in groups of kTogether.
void add_rows(const float* x, int64_t stride, int64_t rows, int64_t columns, float* to) {
  for (int64_t i = 0; i < columns; i++) to[i] = 0;
  int64_t n = 0;
  for (; n + kTogether <= rows; n += kTogether) {
    const float* row = x + n * stride;
    for (int64_t i = 0; i < columns; i++) {
      to[i] += (row[i] + row[stride + i]) + (row[2 * stride + i] + row[3 * stride + i]);
    }
  }
  for (; n < rows; n++) {
    for (int64_t i = 0; i < columns; i++) to[i] += x[n * stride + i];
  }
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  const int64_t columns = x.shape[1], blocks = blocks_of(x);
  float* sums = reinterpret_cast<float*>(c.workspace);
  auto block = [&](int64_t index) {
    const int64_t first = index * kBlockRows, left = x.shape[0] - first;
    const float* from = data_of<float>(x) + first * x.stride[0];
    add_rows(from, x.stride[0], left < kBlockRows ? left : kBlockRows, columns, sums + index * columns);
  };
  parallel_for(*c.pool, blocks, block);
  float* to = data_of<float>(out);
  for (int64_t i = 0; i < columns; i++) to[i] = 0;
  for (int64_t b = 0; b < blocks; b++) {
    for (int64_t i = 0; i < columns; i++) to[i] += sums[b * columns + i];
  }
  return {};
}

TRIMKV_OP("sumRows", 2, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
