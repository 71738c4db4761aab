#include "attention/attention-tile.h"

#include "core/op.h"
#include "core/slot-score.h"
#include "core/slot-table.h"

// One token: partial results of 256 slots in parallel, merged in slot order. Several tokens: blocks of query rows in
// parallel, each walking its splits in the same order, so both give the same bits.
namespace trimkv::TRIMKV_ISA {
namespace {

struct VictimRule {
  bool wanted;
  SlotScore score;
  int64_t budget;
  ProtectedRange safe;
};

struct Attention {
  const Call& call;
  const View &q = call.tensors[0], &keys = call.tensors[1], &values = call.tensors[2], &count = call.tensors[3],
             &slot_index = call.tensors[4], &seen = call.tensors[5], &column_a = call.tensors[6],
             &column_b = call.tensors[7], &mass = call.tensors[8], &victim = call.tensors[9], &out = call.tensors[10];
  const SlotSizes size = slot_sizes(keys);
  const int64_t C = q.shape[1], D = q.shape[3], heads = q.shape[2];
  const int64_t group = size.H == 0 ? 0 : heads / size.H;
  const int64_t rows = C * group;  // query rows of one key head: row r is token r / group, head r % group
  const int64_t blocks = ceil_div(rows, kBlock), splits = ceil_div(size.cap, kSplit);
  const float scale = static_cast<float>(call.scalars[0]);

  struct Head {
    int64_t b, h;
  };
  Head head_of(int64_t i) const { return {i / size.H, i % size.H}; }

  // ---- workspace: per (head, split, row) a partial result and its state when C = 1; final states when mass is kept ----
  int64_t partial_rows() const { return C == 1 ? size.heads() * splits * group : 0; }
  int64_t final_rows() const { return mass.present ? size.heads() * rows : 0; }
  int64_t workspace_bytes() const { return 4 * (partial_rows() * (D + 2) + final_rows() * 2); }

  SoftmaxState* partial_states() const { return reinterpret_cast<SoftmaxState*>(call.workspace); }
  SoftmaxState* final_states() const { return partial_states() + partial_rows(); }
  float* partial_sums() const { return reinterpret_cast<float*>(final_states() + final_rows()); }

  int64_t visible(Head at, int64_t row) const { return entry(count, at.b, at.h) - C + 1 + row / group; }
  float* out_row(Head at, int64_t row) const {
    return data_of<float>(out) + ((at.b * C + row / group) * heads + at.h * group + row % group) * D;
  }
  template <typename T>
  HeadSlots<T> slots(Head at) const {
    return {{head_slots<T>(keys, at.b, at.h), keys.stride[2]}, {head_slots<T>(values, at.b, at.h), values.stride[2]}};
  }

  // Loads the query rows of block `index` of a head.
  void load_block(QueryBlock& block, Head at, int64_t index) const {
    const int64_t first = index * kBlock;
    block.rows = least(kBlock, rows - first);
    block.depth = D;
    for (int64_t r = 0; r < block.rows; r++) {
      const int64_t c = (first + r) / group, hq = at.h * group + (first + r) % group;
      const float* from = data_of<float>(q) + at.b * q.stride[0] + c * q.stride[1] + hq * q.stride[2];
      convert_row(from, block.q + r * D, D);
      scale_row(block.q + r * D, scale, D);
      block.visible[r] = visible(at, first + r);
    }
  }

  void finish(Head at, int64_t row, SoftmaxState state) const {
    if (visible(at, row) > 0) {
      scale_row(out_row(at, row), 1.0f / state.sum, D);
    } else {
      __builtin_memset(out_row(at, row), 0, static_cast<uint64_t>(D) * sizeof(float));
    }
    if (mass.present) final_states()[(at.b * size.H + at.h) * rows + row] = state;
  }

  // ---- one token ----

  template <typename T>
  void split_of_head(int64_t unit) const {
    const int64_t index = unit % blocks, split = unit / blocks % splits;
    const Head at = head_of(unit / blocks / splits);
    const int64_t first = split * kSplit, last = least(first + kSplit, entry(count, at.b, at.h));
    if (first >= last) return;
    QueryBlock block;
    load_block(block, at, index);
    block.attend(slots<T>(at), first, last);
    const int64_t to = (unit / blocks) * group + index * kBlock;
    for (int64_t r = 0; r < block.rows; r++) {
      partial_states()[to + r] = block.state(r);
      convert_row(block.acc + r * D, partial_sums() + (to + r) * D, D);
    }
  }

  void merge_head(int64_t unit) const {
    const Head at = head_of(unit);
    const int64_t used = ceil_div(entry(count, at.b, at.h), kSplit);
    for (int64_t r = 0; r < group; r++) {
      SoftmaxState state{0.0f, 0.0f};
      for (int64_t split = 0; split < used; split++) {
        const int64_t part = (unit * splits + split) * group + r;
        merge(out_row(at, r), state, {partial_sums() + part * D, partial_states()[part], D});
      }
      finish(at, r, state);
    }
  }

  // ---- several tokens ----

  template <typename T>
  void block_of_head(int64_t unit) const {
    const Head at = head_of(unit / blocks);
    const int64_t index = blocks - 1 - unit % blocks;  // the longest first
    QueryBlock block;
    load_block(block, at, index);
    SoftmaxState state[kBlock] = {};
    const int64_t last = block.visible[block.rows - 1];
    for (int64_t first = 0; first < last; first += kSplit) {
      block.attend(slots<T>(at), first, least(first + kSplit, last));
      for (int64_t r = block.first_row_that_sees(first); r < block.rows; r++) {
        merge(out_row(at, index * kBlock + r), state[r], {block.acc + r * D, block.state(r), D});
      }
    }
    for (int64_t r = 0; r < block.rows; r++) finish(at, index * kBlock + r, state[r]);
  }

  // ---- accumulated attention ----

  // Slots of one split: each query adds the mean of its group's probabilities, queries in order.
  template <typename T>
  void mass_of_split(int64_t unit) const {
    const Head at = head_of(unit / splits);
    const int64_t first = unit % splits * kSplit, last = least(first + kSplit, entry(count, at.b, at.h));
    QueryBlock block;
    for (int64_t tile = first; tile < last; tile += kTile) {
      float sums[kTile] = {};
      for (int64_t index = 0; index < blocks; index++) {
        load_block(block, at, index);
        const int64_t from = block.first_row_that_sees(tile);
        if (from == block.rows) continue;
        block.score_tile(slots<T>(at).keys, {tile, least(kTile, last - tile)}, from);
        for (int64_t r = from; r < block.rows; r++) {
          add_mass(at, index * kBlock + r, {block.scores + r * kTile, sums, tile, least(kTile, last - tile)});
        }
      }
    }
  }

  struct MassTile {
    const float* scores;
    float* sums;
    int64_t first, slots;
  };
  void add_mass(Head at, int64_t row, const MassTile& t) const {
    const SoftmaxState state = final_states()[(at.b * size.H + at.h) * rows + row];
    const Vec shift = broadcast(state.max), share = broadcast(1.0f / state.sum);
    for (int64_t j = 0; j < kTile; j += kWidth) {
      store(t.sums + j, fma(exp(load(t.scores + j) - shift), share, load(t.sums + j)));
    }
    if ((row + 1) % group != 0) return;
    float* to = head_slots<float>(mass, at.b, at.h) + t.first;
    const float part = 1.0f / static_cast<float>(group);
    for (int64_t j = 0; j < t.slots; j++) to[j] += t.sums[j] * part;
    __builtin_memset(t.sums, 0, kTile * sizeof(float));
  }

  // ---- the next slot to overwrite ----

  VictimRule victim_rule() const {
    const double* s = call.scalars;
    VictimRule rule{};
    const bool valid = s[1] == 1 && read_score(s + 2, rule.score);
    if (!valid || !is_whole(s[4], 0) || !is_whole(s[5], 0) || !is_whole(s[6], 0)) return rule;
    rule.wanted = true;
    rule.budget = static_cast<int64_t>(s[4]);
    rule.safe = {static_cast<int64_t>(s[5]), static_cast<int64_t>(s[6])};
    return rule;
  }

  void find_victim(int64_t unit) const {
    const Head at = head_of(unit);
    const VictimRule rule = victim_rule();
    const View& rated = column_a.present ? column_a : mass;
    const int32_t* index = head_slots<int32_t>(slot_index, at.b, at.h);
    const float* a = rated.present ? head_slots<float>(rated, at.b, at.h) : nullptr;
    const float* b = column_b.present ? head_slots<float>(column_b, at.b, at.h) : nullptr;
    const int64_t n = entry(count, at.b, at.h), tokens = entry(seen, at.b);
    int32_t best = -1;
    float lowest = 0;
    for (int64_t j = 0; j < n && n > rule.budget; j++) {
      if (rule.safe.holds(index[j], tokens)) continue;
      const RatedSlot slot{index[j], tokens, a != nullptr ? a + j : nullptr, b != nullptr ? b + j : nullptr};
      const float score = rate_slot(rule.score, slot);
      if (best >= 0 && !(score < lowest || (score == lowest && index[j] < index[best]))) continue;
      best = static_cast<int32_t>(j);
      lowest = score;
    }
    entry(victim, at.b, at.h) = best;
  }
};

Status check_victim(const Attention& a) {
  const VictimRule rule = a.victim_rule();
  TRIMKV_REQUIRE(rule.wanted == a.victim.present, kOption, "[attention] the victim tensor and the victim rule go together");
  if (!rule.wanted) return {};
  TRIMKV_REQUIRE(is_per_head(a.victim, a.size) && a.C == 1, kShape, "[attention] victim must be [B, H] i32, for one token");
  TRIMKV_REQUIRE(a.slot_index.present && a.seen.present, kShape, "[attention] a victim needs slotIndex and seen");
  TRIMKV_REQUIRE(!rule.score.needs_column() || a.column_a.present || a.mass.present, kShape,
                 "[attention] the victim's score needs columnA");
  return {};
}

Status check(const Call& c) {
  const View &q = c.tensors[0], &keys = c.tensors[1], &values = c.tensors[2];
  TRIMKV_REQUIRE(q.rank == 4 && keys.rank == 4, kShape, "[attention] q and keys must have four axes");
  const Attention a{c};
  TRIMKV_REQUIRE(q.dtype == DType::kF32 && contiguous_from(q, 3) && q.shape[0] == a.size.B, kShape,
                 "[attention] q must be [B, C, Hq, D] f32");
  TRIMKV_REQUIRE(a.D <= kMaxDepth, kUnsupported, "[attention] head size %d is above %d", static_cast<int>(a.D),
                 static_cast<int>(kMaxDepth));
  TRIMKV_REQUIRE(is_slot_rows(keys, a.size, a.D) && is_slot_rows(values, a.size, a.D) && keys.dtype == values.dtype,
                 kShape, "[attention] keys and values must be [B, H, cap, D] of one float dtype");
  TRIMKV_REQUIRE(a.size.H > 0 && a.heads % a.size.H == 0, kShape, "[attention] query heads do not divide into key heads");
  TRIMKV_REQUIRE(is_per_head(a.count, a.size), kShape, "[attention] count must be [B, H] i32");
  TRIMKV_REQUIRE(!a.slot_index.present || is_column(a.slot_index, DType::kI32, a.size), kShape,
                 "[attention] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(!a.seen.present || is_per_sequence(a.seen, a.size), kShape, "[attention] seen must be [B] i32");
  for (const View* column : {&a.column_a, &a.column_b, &a.mass}) {
    TRIMKV_REQUIRE(!column->present || is_column(*column, DType::kF32, a.size), kShape,
                   "[attention] columns and mass must be [B, H, cap] f32");
  }
  TRIMKV_REQUIRE(a.out.dtype == DType::kF32 && has_shape(a.out, a.size.B, a.C, a.heads, a.D) && contiguous(a.out), kShape,
                 "[attention] out must be [B, C, Hq, D] f32");
  return check_victim(a);
}

int64_t workspace(const Call& c) { return Attention{c}.workspace_bytes(); }

template <typename T>
void attend_all(const Attention& a) {
  Pool& pool = *a.call.pool;
  const int64_t heads = a.size.heads();
  if (a.C == 1) {
    auto split = [&](int64_t unit) { a.split_of_head<T>(unit); };
    parallel_for(pool, heads * a.splits * a.blocks, split);
    auto merged = [&](int64_t unit) { a.merge_head(unit); };
    parallel_for(pool, heads, merged);
  } else {
    auto block = [&](int64_t unit) { a.block_of_head<T>(unit); };
    parallel_for(pool, heads * a.blocks, block);
  }
  if (!a.mass.present) return;
  auto mass = [&](int64_t unit) { a.mass_of_split<T>(unit); };
  parallel_for(pool, heads * a.splits, mass);
}

Status run(const Call& c) {
  const Attention a{c};
  if (Status status = counts_within("attention", a.count, a.size); !status.ok()) return status;
  if (a.rows == 0) return {};
  visit_float(a.keys.dtype, [&](auto type) { attend_all<decltype(type)>(a); });
  if (!a.victim.present) return {};
  auto search = [&](int64_t unit) { a.find_victim(unit); };
  parallel_for(*c.pool, a.size.heads(), search);
  return {};
}

TRIMKV_OP("attention", 11, 7, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
