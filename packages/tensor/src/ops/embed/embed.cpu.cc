#include "core/load.h"
#include "core/op.h"
#include "core/quantised.h"
#include "core/row-chunks.h"
#include "core/simd.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// table [V, C] (rows strided), ids [N] i32, out [N, C] f32
Status check(const Call& c) {
  const View &table = c.tensors[0], &ids = c.tensors[1], &out = c.tensors[2];
  TRIMKV_REQUIRE(table.rank == 2 && ids.rank == 1 && out.rank == 2, kShape, "[embed] wrong rank");
  TRIMKV_REQUIRE((is_float(table.dtype) || is_quantised(table.dtype)) && ids.dtype == DType::kI32 && out.dtype == DType::kF32, kDtype,
                 "[embed] wrong dtype");
  TRIMKV_REQUIRE(out.shape[0] == ids.shape[0] && out.shape[1] == table.shape[1], kShape, "[embed] sizes differ");
  TRIMKV_REQUIRE(contiguous_from(table, 1) && contiguous(ids) && contiguous(out), kShape, "[embed] strided");
  return {};
}

Status run(const Call& c) {
  const View &table = c.tensors[0], &ids = c.tensors[1], &out = c.tensors[2];
  const int64_t count = ids.shape[0], vocabulary = table.shape[0], width = table.shape[1];
  const int32_t* id = data_of<int32_t>(ids);
  for (int64_t n = 0; n < count; n++) {
    TRIMKV_REQUIRE(id[n] >= 0 && id[n] < vocabulary, kTokenRange, "[embed] id %d is outside 0…%lld", id[n],
                   static_cast<long long>(vocabulary - 1));
  }
  if (is_quantised(table.dtype)) {
    parallel_rows(*c.pool, count, width,
                  [&](int64_t n) { dequantise_row(table, id[n], data_of<float>(out) + n * width); });
    return {};
  }
  const int64_t row_bytes = table.stride[0] * dtype_bytes(table.dtype);
  parallel_rows(*c.pool, count, width, [&](int64_t n) {
    widen_row(data_of<char>(table) + id[n] * row_bytes, table.dtype, width, data_of<float>(out) + n * width);
  });
  return {};
}

TRIMKV_OP("embed", 3, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
