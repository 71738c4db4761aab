#include <cmath>

#include "core/op.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// logits [N, V] f32 (rows strided), targets [N] i32, out [N] f32
Status check(const Call& c) {
  const View &logits = c.tensors[0], &targets = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(logits.rank == 2 && targets.rank == 1 && out.rank == 1, kShape, "[tokenLogProb] wrong rank");
  TRIMKV_REQUIRE(logits.dtype == DType::kF32 && targets.dtype == DType::kI32 && out.dtype == DType::kF32, kDtype,
                 "[tokenLogProb] wrong dtype");
  TRIMKV_REQUIRE(logits.shape[0] == targets.shape[0] && out.shape[0] == targets.shape[0] && logits.shape[1] > 0,
                 kShape, "[tokenLogProb] sizes differ, or rows are empty");
  TRIMKV_REQUIRE(contiguous_from(logits, 1) && contiguous(targets) && contiguous(out), kShape,
                 "[tokenLogProb] strided");
  return {};
}

Status run(const Call& c) {
  const View &logits = c.tensors[0], &targets = c.tensors[1], &out = c.tensors[2];
  const int64_t count = targets.shape[0], width = logits.shape[1];
  const int32_t* target = data_of<int32_t>(targets);
  for (int64_t n = 0; n < count; n++) {
    TRIMKV_REQUIRE(target[n] >= 0 && target[n] < width, kTokenRange, "[tokenLogProb] target %d is outside 0…%lld",
                   target[n], static_cast<long long>(width - 1));
  }
  auto row = [&](int64_t n) {
    const float* in = data_of<float>(logits) + n * logits.stride[0];
    const Vec lowest = broadcast(-__builtin_inff());
    Vec most = lowest;
    each_vec(width, [&](int64_t i, int64_t lanes) { most = max(load_or(in + i, lanes, lowest), most); });
    const float top = max_lane(most);
    WideSum sum;
    each_vec(width, [&](int64_t i, int64_t lanes) { sum.add(exp(load_or(in + i, lanes, lowest) - top)); });
    const double shifted = static_cast<double>(in[target[n]]) - static_cast<double>(top);
    data_of<float>(out)[n] = static_cast<float>(shifted - std::log(sum.total()));
  };
  parallel_for(*c.pool, count, row);
  return {};
}

TRIMKV_OP("tokenLogProb", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
