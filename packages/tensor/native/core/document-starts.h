#pragma once
#include <cstdint>

#include "core/status.h"
#include "core/view.h"

// Index in its row of the first token that a token sees: [B, T] i32, zeros where left out. Twin of
// src/document-starts.ts.
namespace trimkv::TRIMKV_ISA {

struct DocumentStarts {
  const int32_t* data;  // null: zeros
  int64_t length;

  int64_t at(int64_t row, int64_t t) const { return data == nullptr ? 0 : data[row * length + t]; }
};

// For `check`: the optional view has the shape [batch, length].
static inline Status check_starts(const View& start, int64_t batch, int64_t length, const char* op) {
  if (!start.present) return {};
  TRIMKV_REQUIRE(start.rank == 2 && start.shape[0] == batch && start.shape[1] == length, kShape,
                 "[%s] start has another shape", op);
  TRIMKV_REQUIRE(start.dtype == DType::kI32, kDtype, "[%s] start must be i32", op);
  TRIMKV_REQUIRE(contiguous(start), kShape, "[%s] start is strided", op);
  return {};
}

// For `run`, after check_starts: starts never fall along a row and lie in 0 … t.
static inline Status read_starts(const View& start, const char* op, DocumentStarts& starts) {
  starts = {nullptr, 0};
  if (!start.present) return {};
  starts = {data_of<int32_t>(start), start.shape[1]};
  for (int64_t row = 0; row < start.shape[0]; row++) {
    int64_t least = 0;
    for (int64_t t = 0; t < starts.length; t++) {
      const int64_t first = starts.at(row, t);
      TRIMKV_REQUIRE(first >= least && first <= t, kInvariant,
                     "[%s] start %lld of token %lld in row %lld is outside %lld…%lld", op,
                     static_cast<long long>(first), static_cast<long long>(t), static_cast<long long>(row),
                     static_cast<long long>(least), static_cast<long long>(t));
      least = first;
    }
  }
  return {};
}

}  // namespace trimkv::TRIMKV_ISA
