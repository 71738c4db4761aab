#include "core/op.h"
#include "core/row-chunks.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// ids [N] i32, dy [N, C] f32 (rows strided), out [V, C] f32; scalars: V
Status check(const Call& c) {
  const View &ids = c.tensors[0], &dy = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(ids.rank == 1 && dy.rank == 2 && out.rank == 2, kShape, "[embedGrad] wrong rank");
  TRIMKV_REQUIRE(ids.dtype == DType::kI32 && dy.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype,
                 "[embedGrad] wrong dtype");
  TRIMKV_REQUIRE(dy.shape[0] == ids.shape[0] && dy.shape[1] == out.shape[1], kShape, "[embedGrad] sizes differ");
  TRIMKV_REQUIRE(c.scalars[0] == static_cast<double>(out.shape[0]), kShape, "[embedGrad] out does not have V rows");
  TRIMKV_REQUIRE(contiguous(ids) && contiguous_from(dy, 1) && contiguous(out), kShape, "[embedGrad] strided");
  return {};
}

// The list of every id, then where the list of each id ends.
int64_t workspace(const Call& c) { return (c.tensors[0].shape[0] + c.tensors[2].shape[0] + 1) * 8; }

// Sorts 0 … count−1 by id into `order`, those of one id ascending; ends[v] is where id v ends and v + 1 begins.
void sort_by_id(const int32_t* ids, int64_t count, int64_t vocabulary, int64_t* order, int64_t* ends) {
  __builtin_memset(ends, 0, static_cast<uint64_t>(vocabulary + 1) * sizeof(int64_t));
  for (int64_t n = 0; n < count; n++) ends[ids[n] + 1]++;
  for (int64_t v = 0; v < vocabulary; v++) ends[v + 1] += ends[v];
  for (int64_t n = 0; n < count; n++) order[ends[ids[n]]++] = n;
}

// Whole rows are added, id by id: 0.45 ms on one thread for 8192 ids of [600, 256], blocks of 64 columns took 0.69.
Status run(const Call& c) {
  const View &ids = c.tensors[0], &dy = c.tensors[1], &out = c.tensors[2];
  const int64_t count = ids.shape[0], vocabulary = out.shape[0], width = out.shape[1];
  const int32_t* id = data_of<int32_t>(ids);
  for (int64_t n = 0; n < count; n++) {
    TRIMKV_REQUIRE(id[n] >= 0 && id[n] < vocabulary, kTokenRange, "[embedGrad] id %d is outside 0…%lld", id[n],
                   static_cast<long long>(vocabulary - 1));
  }
  int64_t *order = reinterpret_cast<int64_t*>(c.workspace), *ends = order + count;
  sort_by_id(id, count, vocabulary, order, ends);
  const int64_t work = vocabulary > 0 ? width * (1 + count / vocabulary) : 0;
  parallel_rows(*c.pool, vocabulary, work, [&](int64_t v) {
    float* to = data_of<float>(out) + v * width;
    __builtin_memset(to, 0, static_cast<uint64_t>(width) * sizeof(float));
    for (int64_t at = v > 0 ? ends[v - 1] : 0; at < ends[v]; at++) {
      const float* from = data_of<float>(dy) + order[at] * dy.stride[0];
      each_vec(width, [&](int64_t i, int64_t lanes) {
        store_some(to + i, load_some(to + i, lanes) + load_some(from + i, lanes), lanes);
      });
    }
  });
  return {};
}

TRIMKV_OP("embedGrad", 3, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
