#include "core/capacity-terms.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kRows = 32;

struct Part {
  double sum, active;
};

int64_t part_count(const View& occupancy) { return (occupancy.shape[0] * occupancy.shape[1] + kRows - 1) / kRows; }

// Σ and number of what is above the budget in one row. NaN counts, so that it shows.
Part above_row(const CapacityTerms& terms, const float* row) {
  if (terms.global) {
    const double above = terms.above(row);
    return above <= 0 ? Part{0, 0} : Part{above, 1};
  }
  const Vec lowest = broadcast(-__builtin_inff());
  const float budget = static_cast<float>(terms.budget);
  WideSum total;
  Vec active = {};
  each_vec(terms.heads, [&](int64_t x, int64_t lanes) {
    const Vec above = load_or(row + x, lanes, lowest) - budget;
    total.add(max(Vec{}, above));
    active += above <= 0.0f ? Vec{} : broadcast(1.0f);
  });
  return {total.total(), static_cast<double>(sum(active))};
}

// occupancy [B, T, X] f32, start? [B, T] i32, loss [1], active [1] f32
Status check(const Call& c) {
  for (int i = 2; i < 4; i++) {
    const View& out = c.tensors[i];
    TRIMKV_REQUIRE(out.rank == 1 && out.shape[0] == 1, kShape, "[capacity] loss and active have one element");
    TRIMKV_REQUIRE(out.dtype == DType::kF32, kDtype, "[capacity] wrong dtype");
  }
  return check_capacity(c, "capacity");
}

int64_t workspace(const Call& c) { return part_count(c.tensors[0]) * static_cast<int64_t>(sizeof(Part)); }

Status run(const Call& c) {
  CapacityTerms terms;
  const Status status = read_capacity(c, "capacity", terms);
  if (!status.ok()) return status;
  const int64_t count = part_count(c.tensors[0]);
  Part* parts = reinterpret_cast<Part*>(c.workspace);
  auto sum_part = [&](int64_t chunk) {
    Part part = {0, 0};
    for (int64_t n = chunk * kRows; n < (chunk + 1) * kRows && n < terms.rows(); n++) {
      const float* row = data_of<float>(c.tensors[0]) + n * terms.heads;
      const Part above = above_row(terms, row);
      part = {part.sum + above.sum / terms.scale(n), part.active + above.active};
    }
    parts[chunk] = part;
  };
  parallel_for(*c.pool, count, sum_part);
  Part all = {0, 0};
  for (int64_t i = 0; i < count; i++) all = {all.sum + parts[i].sum, all.active + parts[i].active};
  const double divisor = terms.paper ? static_cast<double>(terms.rows() * terms.width()) : all.active;
  data_of<float>(c.tensors[2])[0] = all.active > 0 ? static_cast<float>(all.sum / divisor) : 0.0f;
  data_of<float>(c.tensors[3])[0] = static_cast<float>(all.active);
  return {};
}

TRIMKV_OP("capacity", 4, 3, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
