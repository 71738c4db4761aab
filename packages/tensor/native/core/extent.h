#pragma once
#include "core/status.h"
#include "core/view.h"

namespace trimkv {

// Shape, strides and offset as they come from outside: nothing about them is known to be sane.
struct Layout {
  DType dtype;
  int32_t rank;
  int64_t shape[kMaxRank];
  int64_t stride[kMaxRank];
  int64_t offset_bytes;
};

// Fills in the strides of a row-major tensor. Fails when a size is negative or the element count overflows.
Status make_contiguous(Layout& layout);

// Bytes from the first element to the end of the last one; 0 for an empty view. Strides must not be negative.
Status span_bytes(const Layout& layout, int64_t& out);

// Whether every element has its own address: only such a view may be written by several threads.
bool injective(const View& view);

// Whether two views share a byte. May answer yes without need for views of different layouts that interleave.
bool overlaps(const View& a, const View& b);

// Whether two views are the same window.
bool identical(const View& a, const View& b);

}  // namespace trimkv
