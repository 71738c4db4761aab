#include "core/elements.h"

#include "core/load.h"
#include "core/quantised.h"

namespace trimkv {
namespace {

using namespace TRIMKV_ISA;

// Calls visit(address, index, count) for runs of adjacent elements in row-major order.
template <typename F>
void each_run(const View& view, F visit) {
  const int64_t total = element_count(view), bytes = dtype_bytes(view.dtype);
  const int last = view.rank - 1;
  const bool adjacent = last >= 0 && (view.stride[last] == 1 || view.shape[last] == 1);
  const int64_t run = adjacent ? view.shape[last] : 1;
  const int outer = adjacent ? last : view.rank;
  int64_t counter[kMaxRank] = {};
  char* at = data_of<char>(view);
  for (int64_t index = 0; index < total; index += run) {
    visit(at, index, run);
    for (int axis = outer - 1; axis >= 0; axis--) {
      at += view.stride[axis] * bytes;
      if (++counter[axis] < view.shape[axis]) break;
      at -= view.stride[axis] * bytes * view.shape[axis];
      counter[axis] = 0;
    }
  }
}

}  // namespace

void read_f32(const View& from, float* to) {
  if (is_quantised(from.dtype)) {
    const int64_t depth = from.shape[1];
    for (int64_t row = 0; row < from.shape[0]; row++) dequantise_row(from, row, to + row * depth);
    return;
  }
  if (from.dtype == DType::kF32) {
    each_run(from, [&](const char* at, int64_t index, int64_t n) {
      __builtin_memcpy(to + index, at, static_cast<size_t>(n) * sizeof(float));
    });
    return;
  }
  each_run(from, [&](const char* at, int64_t index, int64_t n) { widen_row(at, from.dtype, n, to + index); });
}

void write_f32(const View& to, const float* from) {
  each_run(to, [&](char* at, int64_t index, int64_t n) { narrow_row(from + index, to.dtype, n, at); });
}

void read_i32(const View& from, int32_t* to) {
  each_run(from, [&](const char* at, int64_t index, int64_t n) {
    __builtin_memcpy(to + index, at, static_cast<size_t>(n) * sizeof(int32_t));
  });
}

void write_i32(const View& to, const int32_t* from) {
  each_run(to, [&](char* at, int64_t index, int64_t n) {
    __builtin_memcpy(at, from + index, static_cast<size_t>(n) * sizeof(int32_t));
  });
}

}  // namespace trimkv
