#pragma once
#include <cmath>
#include <cstdint>

#include "core/op.h"
#include "core/simd.h"

// The softmax of a row of logits, and the distance of two, for the losses of a language model and their gradients.
namespace trimkv::TRIMKV_ISA {

constexpr int32_t kIgnoredTarget = -100;

// P[v] = exp(logits[v] − top) / sum.
struct SoftRow {
  const float* logits;
  float top;
  double sum;

  double log_norm() const { return static_cast<double>(top) + std::log(sum); }
};

static inline float row_top(const float* x, int64_t width) {
  const Vec lowest = broadcast(-__builtin_inff());
  Vec a = lowest, b = lowest;
  int64_t i = 0;
  for (; i + 2 * kWidth <= width; i += 2 * kWidth) {
    a = max(load(x + i), a);
    b = max(load(x + i + kWidth), b);
  }
  each_vec(width - i, [&](int64_t at, int64_t lanes) { a = max(load_or(x + i + at, lanes, lowest), a); });
  return max_lane(max(a, b));
}

static inline SoftRow soft_row(const float* x, int64_t width) {
  const float top = row_top(x, width);
  const Vec lowest = broadcast(-__builtin_inff());
  WideSum sum;
  each_vec(width, [&](int64_t i, int64_t lanes) { sum.add(exp(load_or(x + i, lanes, lowest) - top)); });
  return {x, top, sum.total()};
}

// KL(P ‖ Q) and what its gradient needs. Differences of logits are taken from where P is largest, so that nothing large
// cancels in a peaked P: δ[v] = (p[v] − top) − (q[v] − facing), `mean` is Σ P·δ.
struct Divergence {
  SoftRow p;
  float facing;
  double mean, kl;
};

static inline Vec relative(const SoftRow& p, float facing, Vec a, Vec b) { return (a - p.top) - (b - facing); }

// P is given by its logits x. What has probability 0 in P adds nothing.
static inline Divergence divergence(const float* x, const SoftRow& q, int64_t width) {
  Divergence d = {{x, row_top(x, width), 0}, 0, 0, 0};
  int64_t at = 0;
  while (at < width - 1 && x[at] != d.p.top) at++;
  d.facing = q.logits[at];
  const Vec lowest = broadcast(-__builtin_inff());
  WideSum sum, cross;
  each_vec(width, [&](int64_t i, int64_t lanes) {
    const Vec a = load_or(x + i, lanes, lowest), e = exp(a - d.p.top);
    sum.add(e);
    cross.add(e > 0.0f ? e * relative(d.p, d.facing, a, load_some(q.logits + i, lanes)) : Vec{});
  });
  d.p.sum = sum.total();
  d.mean = cross.total() / d.p.sum;
  const double log_q = (static_cast<double>(d.facing) - static_cast<double>(q.top)) - std::log(q.sum);
  d.kl = d.facing == -__builtin_inff() ? __builtin_inf() : d.mean + (-std::log(d.p.sum) - log_q);
  return d;
}

// For `check`: logits and teacher? [N, V] f32 (rows strided), targets [N] i32; scalar: reverse (0 | 1).
static inline Status check_lm(const Call& c, const char* op) {
  const View &logits = c.tensors[0], &teacher = c.tensors[1], &targets = c.tensors[2];
  TRIMKV_REQUIRE(logits.rank == 2 && targets.rank == 1, kShape, "[%s] wrong rank", op);
  TRIMKV_REQUIRE(logits.dtype == DType::kF32 && targets.dtype == DType::kI32, kDtype, "[%s] wrong dtype", op);
  TRIMKV_REQUIRE(targets.shape[0] == logits.shape[0] && logits.shape[1] > 0, kShape,
                 "[%s] sizes differ, or rows are empty", op);
  TRIMKV_REQUIRE(contiguous_from(logits, 1) && contiguous(targets), kShape, "[%s] strided", op);
  TRIMKV_REQUIRE(c.scalars[0] == 0 || c.scalars[0] == 1, kOption, "[%s] unknown divergence", op);
  if (!teacher.present) return {};
  TRIMKV_REQUIRE(teacher.rank == 2 && teacher.shape[0] == logits.shape[0] && teacher.shape[1] == logits.shape[1],
                 kShape, "[%s] logits of teacher and student differ in shape", op);
  TRIMKV_REQUIRE(teacher.dtype == DType::kF32, kDtype, "[%s] wrong dtype", op);
  TRIMKV_REQUIRE(contiguous_from(teacher, 1), kShape, "[%s] strided", op);
  return {};
}

// For `check`: one f32 per row.
static inline Status check_row_values(const View& values, int64_t rows, const char* op) {
  TRIMKV_REQUIRE(values.rank == 1 && values.shape[0] == rows && contiguous(values), kShape,
                 "[%s] expected one value per row", op);
  TRIMKV_REQUIRE(values.dtype == DType::kF32, kDtype, "[%s] wrong dtype", op);
  return {};
}

// For `run`: every target is a token or kIgnoredTarget.
static inline Status check_targets(const View& targets, int64_t width, const char* op) {
  for (int64_t n = 0; n < targets.shape[0]; n++) {
    const int32_t target = data_of<int32_t>(targets)[n];
    TRIMKV_REQUIRE(target == kIgnoredTarget || (target >= 0 && target < width), kTokenRange,
                   "[%s] target %d is neither %d nor in 0…%lld", op, target, kIgnoredTarget,
                   static_cast<long long>(width - 1));
  }
  return {};
}

}  // namespace trimkv::TRIMKV_ISA
