#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kBlock = 16384;

int64_t block_count(const View& x) { return (element_count(x) + kBlock - 1) / kBlock; }

// x of any shape, contiguous f32, out [1] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype, "[sumSquares] wrong dtype");
  TRIMKV_REQUIRE(contiguous(x), kShape, "[sumSquares] strided");
  TRIMKV_REQUIRE(out.rank == 1 && out.shape[0] == 1, kShape, "[sumSquares] out has one element");
  return {};
}

int64_t workspace(const Call& c) { return block_count(c.tensors[0]) * static_cast<int64_t>(sizeof(double)); }

Status run(const Call& c) {
  using Half = WideSum::Half;
  using Wide = WideSum::Wide;
  const View& x = c.tensors[0];
  const int64_t count = element_count(x), blocks = block_count(x);
  double* sums = reinterpret_cast<double*>(c.workspace);
  auto block = [&](int64_t chunk) {
    const int64_t first = chunk * kBlock, size = count - first < kBlock ? count - first : kBlock;
    const float* from = data_of<float>(x) + first;
    Wide low = {}, high = {};
    each_vec(size, [&](int64_t i, int64_t lanes) {
      float values[kWidth];
      store(values, load_some(from + i, lanes));
      const Wide a = __builtin_convertvector(load_bits<Half>(values), Wide);
      const Wide b = __builtin_convertvector(load_bits<Half>(values + kWidth / 2), Wide);
      low += a * a;
      high += b * b;
    });
    sums[chunk] = WideSum{low, high}.total();
  };
  parallel_for(*c.pool, blocks, block);
  double sum = 0;
  for (int64_t i = 0; i < blocks; i++) sum += sums[i];
  data_of<float>(c.tensors[1])[0] = static_cast<float>(sum);
  return {};
}

TRIMKV_OP("sumSquares", 2, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
