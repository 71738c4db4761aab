#pragma once
#include <cstdint>

#include "core/load.h"
#include "core/simd.h"
#include "core/view.h"

// Quantised weights [O, K]: q8 and q4 of src/quantised.ts, which says the same for whoever writes them.
//
// 16 rows make a panel, 32 elements of their depth a block: 16 scales in f16, one per row, then the elements of all 16
// rows interleaved in fours, so that one vector register holds the same four of every row and a dot product needs no
// sum over lanes. Rows beyond the last are zeros.
//   q8: group g = 0 … 7, row r, i = 0 … 3: element 4g + i as int8 at byte 32 + 64g + 4r + i.
//   q4: group g = 0 … 3: element 4g + i, plus 8, in the low half of that byte, element 16 + 4g + i in the high half.
namespace trimkv {

constexpr int kQuantRows = 16;
constexpr int kQuantDepth = 32;
constexpr int64_t kScaleBytes = 2 * kQuantRows;

static inline int64_t quantised_block_bytes(DType t) {
  return kScaleBytes + kQuantRows * kQuantDepth / (t == DType::kQ4 ? 2 : 1);
}

// Bytes before row `row`, a multiple of 16.
static inline int64_t quantised_row_offset(DType t, int64_t row, int64_t depth) {
  return row / kQuantRows * (depth / kQuantDepth) * quantised_block_bytes(t);
}

namespace TRIMKV_ISA {

static inline const char* quantised_panel(const View& v, int64_t row) {
  return data_of<char>(v) + quantised_row_offset(v.dtype, row, v.shape[1]);
}

// One row as f32: scale · integer, exact.
static inline void dequantise_row(const View& v, int64_t row, float* to) {
  const char* block = quantised_panel(v, row);
  const int64_t lane = row % kQuantRows;
  for (int64_t k = 0; k < v.shape[1]; k += kQuantDepth, block += quantised_block_bytes(v.dtype)) {
    const float scale = element_f32(block, DType::kF16, lane);
    for (int i = 0; i < kQuantDepth; i++) {
      const char byte = block[kScaleBytes + (v.dtype == DType::kQ4 ? i % 16 : i) / 4 * 64 + 4 * lane + i % 4];
      const int both = static_cast<uint8_t>(byte);
      const int value = v.dtype == DType::kQ8 ? static_cast<int8_t>(byte) : (i < 16 ? both & 15 : both >> 4) - 8;
      to[k + i] = scale * static_cast<float>(value);
    }
  }
}

}  // namespace TRIMKV_ISA
}  // namespace trimkv
