#include "core/op.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// Elements of out in a chunk.
constexpr int64_t kChunk = 16384;

// x of any shape with an axis, contiguous f32; out likewise, longer at the axis; scalars: axis, before, after
Status check(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  TRIMKV_REQUIRE(x.dtype == DType::kF32 && out.dtype == DType::kF32, kDtype, "[padAxis] wrong dtype");
  TRIMKV_REQUIRE(x.rank == out.rank && contiguous(x) && contiguous(out), kShape, "[padAxis] wrong rank, or strided");
  const double axis = c.scalars[0], before = c.scalars[1], after = c.scalars[2];
  for (double whole : {axis, before, after}) {
    TRIMKV_REQUIRE(whole >= 0 && whole <= 0x1p53 && whole == static_cast<double>(static_cast<int64_t>(whole)), kOption,
                   "[padAxis] axis and counts must be integers of at least 0");
  }
  TRIMKV_REQUIRE(axis < x.rank, kOption, "[padAxis] x has no such axis");
  for (int i = 0; i < x.rank; i++) {
    const double grown = i == static_cast<int>(axis) ? before + after : 0;
    TRIMKV_REQUIRE(static_cast<double>(x.shape[i]) + grown == static_cast<double>(out.shape[i]), kShape,
                   "[padAxis] sizes differ");
  }
  return {};
}

// What out repeats along the axes before the padded one: `before` zeros, `size` elements of x, zeros up to `period`.
struct Layout {
  int64_t before, size, period;
};

// Elements first … last−1 of out.
void fill(const float* x, float* out, const Layout& layout, int64_t first, int64_t last) {
  while (first < last) {
    const int64_t turn = first / layout.period, at = first % layout.period - layout.before;
    const bool inside = at >= 0 && at < layout.size;
    const int64_t end = inside ? layout.size : at < 0 ? 0 : layout.period - layout.before;
    const int64_t count = end - at < last - first ? end - at : last - first;
    const auto bytes = static_cast<uint64_t>(count) * sizeof(float);
    if (inside) {
      __builtin_memcpy(out + first, x + turn * layout.size + at, bytes);
    } else {
      __builtin_memset(out + first, 0, bytes);
    }
    first += count;
  }
}

Status run(const Call& c) {
  const View &x = c.tensors[0], &out = c.tensors[1];
  const int axis = static_cast<int>(c.scalars[0]);
  int64_t inner = 1;
  for (int i = axis + 1; i < x.rank; i++) inner *= x.shape[i];
  const Layout layout{static_cast<int64_t>(c.scalars[1]) * inner, x.shape[axis] * inner, out.shape[axis] * inner};
  const int64_t count = element_count(out);
  auto part = [&](int64_t chunk) {
    const int64_t first = chunk * kChunk, last = first + kChunk < count ? first + kChunk : count;
    fill(data_of<float>(x), data_of<float>(out), layout, first, last);
  };
  parallel_for(*c.pool, (count + kChunk - 1) / kChunk, part);
  return {};
}

TRIMKV_OP("padAxis", 2, 3, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
