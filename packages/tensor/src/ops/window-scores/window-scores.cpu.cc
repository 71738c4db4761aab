#include "core/dot-tile.h"
#include "core/load.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// ring [B, w, Hq, D] f32, keys [B, H, cap, D], count [B, H], slotIndex [B, H, cap], seen [B] i32, out [B, H, cap] f32
// scalars: scale, columns (0 all, 1 candidates), timesVisible
constexpr int64_t kRowBlock = 16;  // query rows scored in one pass over the keys
constexpr int64_t kTile = 64;      // slots of one pass

int64_t rows_per_pass(int64_t group) { return group > kRowBlock ? group : kRowBlock; }

struct Window {
  const Call& call;
  const View &ring = call.tensors[0], &keys = call.tensors[1], &count = call.tensors[2], &slot_index = call.tensors[3],
             &seen = call.tensors[4], &out = call.tensors[5];
  const SlotSizes size = slot_sizes(keys);
  const int64_t w = ring.shape[1], heads = ring.shape[2], D = ring.shape[3];
  const int64_t group = size.H == 0 ? 0 : heads / size.H;
  const bool all = call.scalars[1] == 0, times_visible = call.scalars[2] != 0;

  // ---- workspace, per head: scaled query rows, then their logits ----
  int64_t floats_per_head() const { return rows_per_pass(group) * (D + size.cap); }
  int64_t workspace_bytes() const { return 4 * size.heads() * floats_per_head(); }

  struct Head {
    int64_t b, h, n;
    float* queries;
    float* logits;
    float* to;
    const int32_t* index;
  };
  Head head_of(int64_t unit) const {
    const int64_t b = unit / size.H, h = unit % size.H;
    float* queries = reinterpret_cast<float*>(call.workspace) + unit * floats_per_head();
    return {b, h, entry(count, b, h), queries, queries + rows_per_pass(group) * D, head_slots<float>(out, b, h),
            head_slots<int32_t>(slot_index, b, h)};
  }

  // Logits of the group's queries of tokens first … first+tokens−1 against all slots.
  template <typename T>
  void score(const Head& head, int64_t first, int64_t tokens) const {
    const Vec scale = broadcast(static_cast<float>(call.scalars[0]));
    for (int64_t row = 0; row < tokens * group; row++) {
      const int64_t place = (first + row / group) % w, hq = head.h * group + row % group;
      const float* from = data_of<float>(ring) + head.b * ring.stride[0] + place * ring.stride[1] + hq * ring.stride[2];
      float* to = head.queries + row * D;
      each_vec(D, [&](int64_t d, int64_t lanes) { store_some(to + d, load_some(from + d, lanes) * scale, lanes); });
    }
    const Rows<T> rows{head_slots<T>(keys, head.b, head.h), keys.stride[2]};
    for (int64_t j = 0; j < head.n; j += kTile) {
      const DotTile<float, T> tile{{head.queries, D}, rows.from(j), D, head.logits + j, size.cap};
      dot_rows(tile, tokens * group, least(kTile, head.n - j));
    }
  }

  // to += weight · softmax(logits) over the slots of tokens up to `newest`. Overwrites the logits.
  void add_softmax(const Head& head, float* logits, int64_t newest, float weight) const {
    float best = -__builtin_inff();
    for (int64_t j = 0; j < head.n; j++) {
      logits[j] = head.index[j] <= newest ? logits[j] : -__builtin_inff();
      best = logits[j] > best ? logits[j] : best;
    }
    if (best == -__builtin_inff()) return;
    const Vec shift = broadcast(best);
    double total = 0;
    each_vec(head.n, [&](int64_t j, int64_t lanes) {
      store_some(logits + j, exp(load_some(logits + j, lanes) - shift), lanes);
    });
    for (int64_t j = 0; j < head.n; j++) total += static_cast<double>(logits[j]);
    const Vec factor = broadcast(static_cast<float>(static_cast<double>(weight) / total));
    each_vec(head.n, [&](int64_t j, int64_t lanes) {
      store_some(head.to + j, fma(load_some(logits + j, lanes), factor, load_some(head.to + j, lanes)), lanes);
    });
  }

  // The largest logit of the group, in the first row of the token.
  void group_max(const Head& head, float* logits) const {
    for (int64_t g = 1; g < group; g++) {
      const float* row = logits + g * size.cap;
      each_vec(head.n, [&](int64_t j, int64_t lanes) {
        store_some(logits + j, max(load_some(row + j, lanes), load_some(logits + j, lanes)), lanes);
      });
    }
  }

  // Stored slots of tokens before `token`.
  float older(const Head& head, int64_t token) const {
    int64_t slots = 0;
    for (int64_t j = 0; j < head.n; j++) slots += head.index[j] < token ? 1 : 0;
    return static_cast<float>(slots);
  }

  template <typename T>
  void rate(int64_t unit) const {
    const Head head = head_of(unit);
    for (int64_t j = 0; j < size.cap; j++) head.to[j] = 0.0f;
    const int64_t tokens = entry(seen, head.b), window = least(w, tokens), pass = rows_per_pass(group) / group;
    const float rows = static_cast<float>(all ? window * group : window);
    for (int64_t first = tokens - window; first < tokens; first += pass) {
      const int64_t some = least(pass, tokens - first);
      score<T>(head, first, some);
      for (int64_t t = 0; t < some; t++) {
        float* logits = head.logits + t * group * size.cap;
        if (!all) group_max(head, logits);
        const float weight = times_visible ? older(head, first + t) / rows : 1.0f / rows;
        for (int64_t g = 0; g < (all ? group : 1); g++) {
          add_softmax(head, logits + g * size.cap, all ? first + t : tokens - w - 1, weight);
        }
      }
    }
  }
};

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 4 && c.tensors[1].rank == 4, kShape, "[windowScores] ring and keys must have four axes");
  const Window s{c};
  TRIMKV_REQUIRE(s.ring.dtype == DType::kF32 && s.ring.shape[0] == s.size.B && s.w > 0 && contiguous_from(s.ring, 3), kShape,
                 "[windowScores] ring must be [B, w, Hq, D] f32");
  TRIMKV_REQUIRE(is_slot_rows(s.keys, s.size, s.D), kShape, "[windowScores] keys must be [B, H, cap, D] of a float dtype");
  TRIMKV_REQUIRE(s.size.H > 0 && s.heads > 0 && s.heads % s.size.H == 0, kShape,
                 "[windowScores] query heads do not divide into key heads");
  TRIMKV_REQUIRE(is_per_head(s.count, s.size) && is_per_sequence(s.seen, s.size), kShape,
                 "[windowScores] count must be [B, H] i32 and seen [B] i32");
  TRIMKV_REQUIRE(is_column(s.slot_index, DType::kI32, s.size), kShape, "[windowScores] slotIndex must be [B, H, cap] i32");
  TRIMKV_REQUIRE(is_column(s.out, DType::kF32, s.size) && contiguous(s.out), kShape,
                 "[windowScores] out must be [B, H, cap] f32");
  TRIMKV_REQUIRE(c.scalars[1] == 0 || c.scalars[1] == 1, kOption, "[windowScores] unknown columns");
  return {};
}

int64_t workspace(const Call& c) { return Window{c}.workspace_bytes(); }

Status run(const Call& c) {
  const Window s{c};
  if (Status status = counts_within("windowScores", s.count, s.size); !status.ok()) return status;
  for (int64_t b = 0; b < s.size.B; b++) {
    TRIMKV_REQUIRE(entry(s.seen, b) >= 0, kInvariant, "[windowScores] sequence %d has seen %d tokens", static_cast<int>(b),
                   entry(s.seen, b));
  }
  visit_float(s.keys.dtype, [&](auto type) {
    auto head = [&](int64_t unit) { s.rate<decltype(type)>(unit); };
    parallel_for(*c.pool, s.size.heads(), head);
  });
  return {};
}

TRIMKV_OP("windowScores", 6, 3, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
