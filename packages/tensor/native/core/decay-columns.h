#pragma once
#include <cmath>
#include <cstdint>

#include "core/pool.h"
#include "core/simd.h"
#include "core/view.h"

// Columns of weights β_i^(t−i) for rows t in order: from one row to the next each is multiplied by β_i, and after
// kDecayRows rows it starts again from an exact power, so that rounding does not build up (64 rows: below 6e-6).
namespace trimkv::TRIMKV_ISA {

constexpr int64_t kDecayRows = 64;
// Columns are stored in multiples of this, the width of the widest tile.
constexpr int64_t kDecayPadding = 128;
// Added in each step: a column that has vanished stays a normal number, and subnormals are slow.
constexpr float kDecayFloor = 1e-30f;

static inline int64_t padded_columns(int64_t length) {
  return (length + kDecayPadding - 1) / kDecayPadding * kDecayPadding;
}

// x = log β and β of the columns of one head of one batch row, in order; those past the end do not decay.
struct DecayColumns {
  float *x, *beta;
};

// Lays the columns of [B, T, H] out by head in a workspace of 2·B·H·padded_columns(T) floats.
struct DecayTable {
  float* base;
  int64_t length, heads;

  DecayColumns of(int64_t row, int64_t head) const {
    float* x = base + 2 * (row * heads + head) * padded_columns(length);
    return {x, x + padded_columns(length)};
  }
  static int64_t bytes(const View& log_beta) {
    return 8 * log_beta.shape[0] * log_beta.shape[2] * padded_columns(log_beta.shape[1]);
  }
};

static inline DecayTable decay_table(const View& log_beta, char* workspace, Pool& pool) {
  const DecayTable table = {reinterpret_cast<float*>(workspace), log_beta.shape[1], log_beta.shape[2]};
  const int64_t parts = padded_columns(table.length) / kDecayPadding;
  auto part = [&](int64_t chunk) {
    const int64_t row = chunk / parts, first = chunk % parts * kDecayPadding;
    for (int64_t i = first; i < first + kDecayPadding; i++) {
      const float* from = data_of<float>(log_beta) + (row * table.length + i) * table.heads;
      for (int64_t h = 0; h < table.heads; h++) {
        const float x = i < table.length ? from[h] : 0.0f;
        const DecayColumns columns = table.of(row, h);
        columns.x[i] = x;
        // In f64: the error of β grows with each multiplication.
        columns.beta[i] = static_cast<float>(std::exp(static_cast<double>(x)));
      }
    }
  };
  parallel_for(pool, log_beta.shape[0] * parts, part);
  return table;
}

static inline VecI column_indices(int64_t first) {
  VecI index;
  for (int i = 0; i < kWidth; i++) index[i] = static_cast<int32_t>(first) + i;
  return index;
}

// t − i for the columns first, first + 1, …; exact below 2^24.
static inline Vec column_ages(int64_t t, int64_t first) {
  return __builtin_convertvector(static_cast<int32_t>(t) - column_indices(first), Vec);
}

// β_i^(t−i), in steps of exp's own accuracy; 1 for columns that are not born by row t.
static inline Vec decayed(const float* x, Vec ages) {
  ages = max(ages, Vec{});
  return exp(max(broadcast(-69.0f), load(x) * ages));
}

// Whether all of `vecs` vectors of columns weigh less than 1e-12 from row t on. A column that is NaN never does.
static inline bool dropped(const float* x, int64_t first, int64_t t, int vecs) {
  VecI below = VecI{} - 1;
  for (int v = 0; v < vecs; v++) {
    below &= load(x + v * kWidth) * column_ages(t, first + v * kWidth) < -27.631f;
  }
  int32_t all = -1;
  for (int i = 0; i < kWidth; i++) all &= below[i];
  return all != 0;
}

}  // namespace trimkv::TRIMKV_ISA
