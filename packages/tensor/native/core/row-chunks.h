#pragma once
#include <cstdint>

#include "core/pool.h"

namespace trimkv {

// Elements of a chunk, some microseconds of work: a small call stays on its thread, short rows share a chunk.
constexpr int64_t kChunkElements = 8192;

// Calls body(n) for every row n of `width` elements, neighbouring rows in one chunk.
template <typename F>
static inline void parallel_rows(Pool& pool, int64_t rows, int64_t width, F&& body) {
  const int64_t fitting = kChunkElements / (width > 0 ? width : 1), each = fitting > 0 ? fitting : 1;
  auto part = [&](int64_t chunk) {
    const int64_t first = chunk * each, last = first + each < rows ? first + each : rows;
    for (int64_t n = first; n < last; n++) body(n);
  };
  parallel_for(pool, (rows + each - 1) / each, part);
}

}  // namespace trimkv
