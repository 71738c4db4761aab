#include "core/capacity-terms.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kRows = 32;

// occupancy [B, T, X] f32, start? [B, T] i32, active [1], dLoss [1] f32, out [B, T, X] f32
Status check(const Call& c) {
  const View &occupancy = c.tensors[0], &out = c.tensors[4];
  for (int i = 2; i < 4; i++) {
    const View& one = c.tensors[i];
    TRIMKV_REQUIRE(one.rank == 1 && one.shape[0] == 1, kShape, "[capacityGrad] active and dLoss have one element");
    TRIMKV_REQUIRE(one.dtype == DType::kF32, kDtype, "[capacityGrad] wrong dtype");
  }
  TRIMKV_REQUIRE(out.rank == occupancy.rank && contiguous(out), kShape, "[capacityGrad] wrong rank, or strided");
  TRIMKV_REQUIRE(out.dtype == DType::kF32, kDtype, "[capacityGrad] wrong dtype");
  for (int i = 0; i < out.rank; i++) {
    TRIMKV_REQUIRE(out.shape[i] == occupancy.shape[i], kShape, "[capacityGrad] sizes differ");
  }
  return check_capacity(c, "capacityGrad");
}

void gradient_row(const CapacityTerms& terms, const float* row, float gradient, float* out) {
  const float shared = terms.global && terms.above(row) > 0 ? gradient : 0.0f;
  const float budget = static_cast<float>(terms.budget);
  each_vec(terms.heads, [&](int64_t x, int64_t lanes) {
    const Vec own = load_some(row + x, lanes) > budget ? broadcast(gradient) : Vec{};
    store_some(out + x, terms.global ? broadcast(shared) : own, lanes);
  });
}

Status run(const Call& c) {
  CapacityTerms terms;
  const Status status = read_capacity(c, "capacityGrad", terms);
  if (!status.ok()) return status;
  const double active = static_cast<double>(*data_of<float>(c.tensors[2]));
  const double count = terms.paper ? static_cast<double>(terms.rows() * terms.width()) : active;
  const double each = count == 0 ? 0.0 : static_cast<double>(*data_of<float>(c.tensors[3])) / count;
  auto part = [&](int64_t chunk) {
    for (int64_t n = chunk * kRows; n < (chunk + 1) * kRows && n < terms.rows(); n++) {
      const float* row = data_of<float>(c.tensors[0]) + n * terms.heads;
      float* out = data_of<float>(c.tensors[4]) + n * terms.heads;
      const float gradient = static_cast<float>(each / terms.scale(n));
      gradient_row(terms, row, gradient, out);
    }
  };
  parallel_for(*c.pool, (terms.rows() + kRows - 1) / kRows, part);
  return {};
}

TRIMKV_OP("capacityGrad", 5, 3, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
