#include "core/extent.h"

#include <algorithm>

#include "core/quantised.h"

namespace trimkv {
namespace {

struct Axis {
  int64_t size, stride;
};

// Axes of more than one element, largest stride first.
struct Axes {
  Axis axis[kMaxRank];
  int count = 0;

  explicit Axes(const View& view) {
    for (int i = 0; i < view.rank; i++) {
      if (view.shape[i] > 1) insert({view.shape[i], view.stride[i]});
    }
  }

  void insert(Axis added) {
    int at = count++;
    for (; at > 0 && axis[at - 1].stride < added.stride; at--) axis[at] = axis[at - 1];
    axis[at] = added;
  }

  // Distance between the first and the last element of the axes from `first` on.
  int64_t reach(int first) const {
    int64_t sum = 0;
    for (int i = first; i < count; i++) sum += (axis[i].size - 1) * axis[i].stride;
    return sum;
  }

  // Whether two elements of one injective layout are `distance` apart.
  bool has_distance(int64_t distance, int first) const {
    if (first == count) return distance == 0;
    const int64_t low = distance / axis[first].stride;
    for (int64_t steps = low - 1; steps <= low + 1; steps++) {
      const int64_t rest = distance - steps * axis[first].stride;
      if (steps <= -axis[first].size || steps >= axis[first].size || std::abs(rest) > reach(first + 1)) continue;
      if (has_distance(rest, first + 1)) return true;
    }
    return false;
  }
};

bool empty(const View& view) { return element_count(view) == 0; }

// Whether the stretches of memory from the first to the last element share a byte.
bool bytes_meet(const View& a, const View& b) {
  const auto end = [](const View& v) {
    Layout layout{v.dtype, v.rank, {}, {}, 0};
    std::copy_n(v.shape, kMaxRank, layout.shape);
    std::copy_n(v.stride, kMaxRank, layout.stride);
    int64_t bytes = 0;
    return span_bytes(layout, bytes).ok() ? data_of<char>(v) + bytes : nullptr;
  };
  return data_of<char>(a) < end(b) && data_of<char>(b) < end(a);
}

bool same_layout(const View& a, const View& b) {
  return a.dtype == b.dtype && a.rank == b.rank && std::equal(a.shape, a.shape + a.rank, b.shape) &&
         std::equal(a.stride, a.stride + a.rank, b.stride);
}

}  // namespace

Status make_contiguous(Layout& layout) {
  int64_t step = 1;
  for (int i = layout.rank - 1; i >= 0; i--) {
    layout.stride[i] = step;
    TRIMKV_REQUIRE(layout.shape[i] >= 0, kShape, "axis %d has the size %lld", i, static_cast<long long>(layout.shape[i]));
    // A zero ends the product, and the sizes left of it would be multiplied unchecked.
    const int64_t size = std::max<int64_t>(layout.shape[i], 1);
    TRIMKV_REQUIRE(!__builtin_mul_overflow(step, size, &step) && step < INT64_MAX / 8, kShape,
                   "the tensor has too many elements");
  }
  return {};
}

static Status quantised_bytes(const Layout& layout, int64_t& out) {
  const int64_t rows = layout.shape[0], depth = layout.shape[1];
  TRIMKV_REQUIRE(layout.rank == 2 && layout.stride[0] == depth && depth > 0 && layout.stride[1] == 1 && depth % kQuantDepth == 0 && depth <= INT32_MAX, kShape,
                 "a quantised tensor is [rows, depth], row-major, with a depth that 32 divides");
  out = quantised_row_offset(layout.dtype, rows + (kQuantRows - rows % kQuantRows) % kQuantRows, depth);
  return {};
}

Status span_bytes(const Layout& layout, int64_t& out) {
  int64_t last = 0;
  bool is_empty = false;
  for (int i = 0; i < layout.rank; i++) {
    const int64_t size = layout.shape[i], stride = layout.stride[i];
    TRIMKV_REQUIRE(size >= 0 && stride >= 0, kShape, "axis %d has the size %lld and the stride %lld", i,
                   static_cast<long long>(size), static_cast<long long>(stride));
    int64_t reach = 0;
    is_empty |= size == 0;
    TRIMKV_REQUIRE(!__builtin_mul_overflow(std::max<int64_t>(size - 1, 0), stride, &reach) &&
                       !__builtin_add_overflow(last, reach, &last) && last < INT64_MAX / 8,
                   kShape, "the strides reach too far");
  }
  if (is_quantised(layout.dtype)) return quantised_bytes(layout, out);
  out = is_empty ? 0 : (last + 1) * dtype_bytes(layout.dtype);
  return {};
}

bool injective(const View& view) {
  if (empty(view)) return true;
  const Axes axes(view);
  for (int i = 0; i < axes.count; i++) {
    if (axes.axis[i].stride <= axes.reach(i + 1)) return false;
  }
  return true;
}

bool overlaps(const View& a, const View& b) {
  if (empty(a) || empty(b)) return false;
  if (is_quantised(a.dtype) || is_quantised(b.dtype)) return bytes_meet(a, b);
  const int64_t size_a = dtype_bytes(a.dtype), size_b = dtype_bytes(b.dtype);
  const int64_t from_a = reinterpret_cast<int64_t>(a.data), from_b = reinterpret_cast<int64_t>(b.data);
  const Axes axes(a);
  const int64_t to_a = from_a + (axes.reach(0) + 1) * size_a;
  const int64_t to_b = from_b + (Axes(b).reach(0) + 1) * size_b;
  if (to_a <= from_b || to_b <= from_a) return false;
  const int64_t distance = from_b - from_a;
  if (!same_layout(a, b) || !injective(a) || distance % size_a != 0) return true;
  return axes.has_distance(distance / size_a, 0);
}

bool identical(const View& a, const View& b) { return a.data == b.data && same_layout(a, b); }

}  // namespace trimkv
