#include "core/decay-columns.h"
#include "core/document-starts.h"
#include "core/op.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int kVecs = 8;
constexpr int64_t kTile = kVecs * kWidth;
static_assert(kDecayPadding % kTile == 0);

// logBeta [B, T, H] f32, start? [B, T] i32, out [B, T, H] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &start = c.tensors[1], &out = c.tensors[2];
  for (const View* v : {&x, &out}) {
    TRIMKV_REQUIRE(v->rank == 3, kShape, "[occupancy] wrong rank");
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[occupancy] wrong dtype");
    for (int i = 0; i < 3; i++) TRIMKV_REQUIRE(v->shape[i] == x.shape[i], kShape, "[occupancy] sizes differ");
    TRIMKV_REQUIRE(contiguous(*v), kShape, "[occupancy] strided");
  }
  TRIMKV_REQUIRE(x.shape[1] <= 1 << 24, kShape, "[occupancy] ages past 2^24 are not exact in f32");
  return check_starts(start, x.shape[0], x.shape[1], "occupancy");
}

int64_t workspace(const Call& c) { return DecayTable::bytes(c.tensors[0]); }

// Rows t0 … t0 + count − 1 of one batch row.
struct Rows {
  int64_t batch_row, t0, count;
  DocumentStarts starts;

  int64_t first_seen(int64_t r) const { return starts.at(batch_row, t0 + r); }
};

// Adds the columns i0 … i0 + kTile − 1 to the lane sums of the rows. Masked: some are not born or not seen by all rows.
template <bool masked>
void add_tile(const DecayColumns& columns, int64_t i0, const Rows& rows, Vec* sums) {
  const float *x = columns.x + i0, *beta = columns.beta + i0;
  Vec p[kVecs];
  for (int v = 0; v < kVecs; v++) p[v] = decayed(x + v * kWidth, column_ages(rows.t0, i0 + v * kWidth));
  for (int64_t r = 0; r < rows.count; r++) {
    Vec term[kVecs];
    if constexpr (masked) {
      const int32_t t = static_cast<int32_t>(rows.t0 + r), first = static_cast<int32_t>(rows.first_seen(r));
      for (int v = 0; v < kVecs; v++) {
        const VecI index = column_indices(i0 + v * kWidth);
        p[v] = index == t ? broadcast(1.0f) : p[v];
        term[v] = ((index <= t) & (index >= first)) ? p[v] : Vec{};
      }
    } else {
      for (int v = 0; v < kVecs; v++) term[v] = p[v];
    }
    sums[r] += ((term[0] + term[1]) + (term[2] + term[3])) + ((term[4] + term[5]) + (term[6] + term[7]));
    for (int v = 0; v < kVecs; v++) p[v] = fma(p[v], load(beta + v * kWidth), broadcast(kDecayFloor));
  }
}

void add_columns(const DecayColumns& columns, const Rows& rows, Vec* sums) {
  const int64_t last = rows.t0 + rows.count - 1, all_see = rows.first_seen(rows.count - 1);
  for (int64_t i0 = rows.first_seen(0) / kTile * kTile; i0 <= last; i0 += kTile) {
    if (dropped(columns.x + i0, i0, rows.t0, kVecs)) continue;
    if (i0 < all_see || i0 + kTile - 1 > rows.t0) {
      add_tile<true>(columns, i0, rows, sums);
    } else {
      add_tile<false>(columns, i0, rows, sums);
    }
  }
}

Status run(const Call& c) {
  const View &log_beta = c.tensors[0], &out = c.tensors[2];
  const int64_t length = log_beta.shape[1], heads = log_beta.shape[2], lanes = log_beta.shape[0] * heads;
  DocumentStarts starts;
  const Status status = read_starts(c.tensors[1], "occupancy", starts);
  if (!status.ok()) return status;
  const DecayTable table = decay_table(log_beta, c.workspace, *c.pool);
  const int64_t blocks = (length + kDecayRows - 1) / kDecayRows;
  auto block = [&](int64_t chunk) {
    // The last rows see most columns; they go first, so that threads end together.
    const int64_t t0 = (blocks - 1 - chunk / lanes) * kDecayRows, row = chunk % lanes / heads, head = chunk % heads;
    const int64_t count = length - t0 < kDecayRows ? length - t0 : kDecayRows;
    Vec sums[kDecayRows] = {};
    add_columns(table.of(row, head), {row, t0, count, starts}, sums);
    for (int64_t r = 0; r < count; r++) {
      data_of<float>(out)[(row * length + t0 + r) * heads + head] = sum(sums[r]);
    }
  };
  parallel_for(*c.pool, blocks * lanes, block);
  return {};
}

TRIMKV_OP("occupancy", 3, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
