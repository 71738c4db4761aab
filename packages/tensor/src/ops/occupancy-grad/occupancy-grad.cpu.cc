#include "core/decay-columns.h"
#include "core/document-starts.h"
#include "core/op.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int kVecs = 4;
constexpr int64_t kTile = kVecs * kWidth;
static_assert(kDecayPadding % kTile == 0);

// logBeta [B, T, H] f32, start? [B, T] i32, dy [B, T, H] f32, out [B, T, H] f32
Status check(const Call& c) {
  const View &x = c.tensors[0], &start = c.tensors[1], &dy = c.tensors[2], &out = c.tensors[3];
  for (const View* v : {&x, &dy, &out}) {
    TRIMKV_REQUIRE(v->rank == 3, kShape, "[occupancyGrad] wrong rank");
    TRIMKV_REQUIRE(v->dtype == DType::kF32, kDtype, "[occupancyGrad] wrong dtype");
    for (int i = 0; i < 3; i++) TRIMKV_REQUIRE(v->shape[i] == x.shape[i], kShape, "[occupancyGrad] sizes differ");
    TRIMKV_REQUIRE(contiguous(*v), kShape, "[occupancyGrad] strided");
  }
  TRIMKV_REQUIRE(x.shape[1] <= 1 << 24, kShape, "[occupancyGrad] ages past 2^24 are not exact in f32");
  return check_starts(start, x.shape[0], x.shape[1], "occupancyGrad");
}

// The columns, then dy by head.
int64_t workspace(const Call& c) {
  const View& x = c.tensors[0];
  return DecayTable::bytes(x) + 4 * element_count(x);
}

// Rows t0 … t0 + count − 1 of one batch row, and the gradients of one head, by row of the batch.
struct Rows {
  int64_t batch_row, t0, count;
  const DocumentStarts& starts;
  const float* dy;

  int64_t first_seen(int64_t r) const { return starts.at(batch_row, t0 + r); }
};

// Adds Σ dy·(t − i)·p over the rows to `total`. Where all columns are older than row t0, t − i = (t0 − i) + r is taken
// apart: two sums without ages. Masked: some columns are not born or not seen by all rows.
template <bool masked>
void add_rows(const DecayColumns& columns, int64_t i0, const Rows& rows, Vec* total) {
  const float *x = columns.x + i0, *beta = columns.beta + i0;
  Vec p[kVecs], plain[kVecs] = {}, aged[kVecs] = {};
  for (int v = 0; v < kVecs; v++) p[v] = decayed(x + v * kWidth, column_ages(rows.t0, i0 + v * kWidth));
  for (int64_t r = 0; r < rows.count; r++) {
    const Vec g = broadcast(rows.dy[rows.t0 + r]), older = g * static_cast<float>(r);
    for (int v = 0; v < kVecs; v++) {
      if constexpr (masked) {
        const int32_t t = static_cast<int32_t>(rows.t0 + r), first = static_cast<int32_t>(rows.first_seen(r));
        const VecI index = column_indices(i0 + v * kWidth), seen = (index <= t) & (index >= first);
        p[v] = index == t ? broadcast(1.0f) : p[v];
        aged[v] = fma(seen ? g * column_ages(t, i0 + v * kWidth) : Vec{}, p[v], aged[v]);
      } else {
        plain[v] = fma(g, p[v], plain[v]);
        aged[v] = fma(older, p[v], aged[v]);
      }
      p[v] = fma(p[v], load(beta + v * kWidth), broadcast(kDecayFloor));
    }
  }
  for (int v = 0; v < kVecs; v++) {
    total[v] += masked ? aged[v] : fma(column_ages(rows.t0, i0 + v * kWidth), plain[v], aged[v]);
  }
}

void add_blocks(const DecayColumns& columns, int64_t i0, Rows rows, Vec* total) {
  const int64_t length = rows.count;
  for (rows.t0 = i0; rows.t0 < length; rows.t0 += kDecayRows) {
    rows.count = length - rows.t0 < kDecayRows ? length - rows.t0 : kDecayRows;
    if (rows.first_seen(0) >= i0 + kTile || dropped(columns.x + i0, i0, rows.t0, kVecs)) return;
    if (rows.first_seen(rows.count - 1) > i0 || i0 + kTile - 1 > rows.t0) {
      add_rows<true>(columns, i0, rows, total);
    } else {
      add_rows<false>(columns, i0, rows, total);
    }
  }
}

// [B, T, H] as [B, H, T].
void by_head(const View& dy, float* to, Pool& pool) {
  const int64_t length = dy.shape[1], heads = dy.shape[2];
  auto row = [&](int64_t lane) {
    const float* from = data_of<float>(dy) + lane / heads * length * heads + lane % heads;
    for (int64_t t = 0; t < length; t++) to[lane * length + t] = from[t * heads];
  };
  parallel_for(pool, dy.shape[0] * heads, row);
}

Status run(const Call& c) {
  const View &log_beta = c.tensors[0], &out = c.tensors[3];
  const int64_t length = log_beta.shape[1], heads = log_beta.shape[2], lanes = log_beta.shape[0] * heads;
  DocumentStarts starts;
  const Status status = read_starts(c.tensors[1], "occupancyGrad", starts);
  if (!status.ok()) return status;
  const DecayTable table = decay_table(log_beta, c.workspace, *c.pool);
  float* dy = reinterpret_cast<float*>(c.workspace + DecayTable::bytes(log_beta));
  by_head(c.tensors[2], dy, *c.pool);
  auto tile = [&](int64_t chunk) {
    const int64_t i0 = chunk / lanes * kTile, lane = chunk % lanes, row = lane / heads, head = lane % heads;
    Vec total[kVecs] = {};
    add_blocks(table.of(row, head), i0, {row, 0, length, starts, dy + lane * length}, total);
    float values[kTile];
    for (int v = 0; v < kVecs; v++) store(values + v * kWidth, total[v]);
    for (int64_t i = i0; i < i0 + kTile && i < length; i++) {
      data_of<float>(out)[(row * length + i) * heads + head] = values[i - i0];
    }
  };
  parallel_for(*c.pool, (length + kTile - 1) / kTile * lanes, tile);
  return {};
}

TRIMKV_OP("occupancyGrad", 4, 0, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
