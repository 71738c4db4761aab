#pragma once
#include "core/document-starts.h"
#include "core/op.h"
#include "core/simd.h"

// The terms of the capacity loss, for its value and its gradient.
namespace trimkv::TRIMKV_ISA {

// Scalars: budget per head, global (0 | 1), paper (0 | 1).
struct CapacityTerms {
  int64_t batch, length, heads;
  double budget;
  bool global, paper;
  DocumentStarts starts;

  int64_t rows() const { return batch * length; }
  // Terms of one row.
  int64_t width() const { return global ? 1 : heads; }

  // What the terms of row n (of B·T) are divided by.
  double scale(int64_t n) const {
    const double position = static_cast<double>(n % length - starts.at(n / length, n % length));
    if (paper) return global ? 1.0 : position + 1.0;
    const double room = (position - budget) * static_cast<double>(global ? heads : 1);
    return room > 1.0 ? room : 1.0;
  }

  // Tokens above the budget of all heads together.
  double above(const float* row) const {
    double tokens = 0;
    for (int64_t x = 0; x < heads; x++) tokens += static_cast<double>(row[x]);
    return tokens - budget * static_cast<double>(heads);
  }
};

static inline Status check_capacity(const Call& c, const char* op) {
  const View& occupancy = c.tensors[0];
  TRIMKV_REQUIRE(occupancy.rank == 3 && contiguous(occupancy), kShape, "[%s] occupancy has a wrong rank, or is strided",
                 op);
  TRIMKV_REQUIRE(occupancy.dtype == DType::kF32, kDtype, "[%s] wrong dtype", op);
  TRIMKV_REQUIRE(c.scalars[0] > 0 && c.scalars[0] <= 0x1p53, kOption, "[%s] budget must be a positive number", op);
  for (int i = 1; i < 3; i++) {
    TRIMKV_REQUIRE(c.scalars[i] == 0 || c.scalars[i] == 1, kOption, "[%s] unknown scope or form", op);
  }
  return check_starts(c.tensors[1], occupancy.shape[0], occupancy.shape[1], op);
}

static inline Status read_capacity(const Call& c, const char* op, CapacityTerms& terms) {
  const View& occupancy = c.tensors[0];
  terms = {occupancy.shape[0], occupancy.shape[1], occupancy.shape[2],  c.scalars[0],
           c.scalars[1] != 0,  c.scalars[2] != 0,  {nullptr, 0}};
  return read_starts(c.tensors[1], op, terms.starts);
}

}  // namespace trimkv::TRIMKV_ISA
