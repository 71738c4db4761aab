#include "core/load.h"
#include "core/op.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// x of any shape and strides, out of the same shape, contiguous; scalars: dtype of out
Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.rank == out.rank && contiguous(out), kShape, "[copy] wrong rank, or out is strided");
  for (int i = 0; i < x.rank; i++) TRIMKV_REQUIRE(x.shape[i] == out.shape[i], kShape, "[copy] sizes differ");
  TRIMKV_REQUIRE(!is_quantised(x.dtype) && !is_quantised(out.dtype), kDtype, "[copy] wrong dtype");
  TRIMKV_REQUIRE((x.dtype == DType::kI32) == (out.dtype == DType::kI32), kDtype, "[copy] i32 copies to i32 only");
  TRIMKV_REQUIRE(c.scalars[0] == static_cast<double>(out.dtype), kDtype, "[copy] out is not of the wanted dtype");
  return {};
}

template <typename From, typename To>
void copy_row(const From* from, int64_t step, To* to, int64_t n) {
  if (step == 1) return convert_row(from, to, n);
  for (int64_t i = 0; i < n; i++) convert_row(from + i * step, to + i, 1);
}

// Element offset in x of the first element of row `row`, rows counted over all axes but the last.
int64_t row_offset(const View& x, int64_t row) {
  int64_t offset = 0;
  for (int axis = x.rank - 2; axis >= 0; axis--) {
    offset += row % x.shape[axis] * x.stride[axis];
    row /= x.shape[axis];
  }
  return offset;
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  const int64_t count = element_count(x), width = x.rank == 0 ? 1 : x.shape[x.rank - 1];
  if (count == 0) return {};
  const int64_t step = x.rank == 0 ? 1 : x.stride[x.rank - 1];
  auto row = [&](int64_t n) {
    const int64_t from = row_offset(x, n), to = n * width;
    if (x.dtype == DType::kI32) {
      for (int64_t i = 0; i < width; i++) data_of<int32_t>(out)[to + i] = data_of<int32_t>(x)[from + i * step];
      return;
    }
    visit_float(x.dtype, [&](auto in) {
      visit_float(out.dtype, [&](auto kind) {
        copy_row(data_of<decltype(in)>(x) + from, step, data_of<decltype(kind)>(out) + to, width);
      });
    });
  };
  parallel_for(*c.pool, count / width, row);
  return {};
}

TRIMKV_OP("copy", 2, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
