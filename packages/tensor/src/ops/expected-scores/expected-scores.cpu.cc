#include <cmath>

#include "core/dot-tile.h"
#include "core/load.h"
#include "core/slot-table.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// q [B, C, Hq, D] f32 (outer axes strided), index [B, C], keys [B, H, cap, D], count [B, H], slotIndex [B, H, cap],
// seen [B] i32, invFreq [F, R/2] f32 (rows strided), out [B, H, cap] f32
// scalars: sinks, future, covariance, scale, ropeScale, offset
constexpr int64_t kTokens = 128;  // centred queries multiplied at a time
constexpr int64_t kSlots = 24;    // keys multiplied with the covariance at a time

struct Expected {
  const Call& call;
  const View &q = call.tensors[0], &index = call.tensors[1], &keys = call.tensors[2], &count = call.tensors[3],
             &slot_index = call.tensors[4], &seen = call.tensors[5], &inv_freq = call.tensors[6], &out = call.tensors[7];
  const SlotSizes size = slot_sizes(keys);
  const int64_t C = q.shape[1], heads = q.shape[2], D = q.shape[3], half = inv_freq.shape[1];
  const int64_t group = size.H == 0 ? 0 : heads / size.H;
  const int64_t sinks = static_cast<int64_t>(call.scalars[0]), future = static_cast<int64_t>(call.scalars[1]);
  const bool covariance = call.scalars[2] != 0;

  // ---- workspace, per query head: f64 mean; then f32: mean, covariance, a block of it, centred queries (channels by
  // tokens), keys turned back, their products with the covariance, logits; per sequence: mean cosines and sines ----
  int64_t floats_per_head() const {
    const int64_t square = covariance ? D * D : 0;
    return 3 * D + 2 * square + D * kTokens + 2 * kSlots * D + size.cap;
  }
  int64_t floats_per_sequence() const { return 2 * half; }
  int64_t workspace_bytes() const {
    return 4 * (size.B * heads * (floats_per_head() + 1) + size.B * floats_per_sequence()) + 64;
  }

  struct Head {
    int64_t b, hq, h, n;
    double* sums;
    float *mean, *sigma, *block, *centred, *turned, *moved, *logits;
    const float* cosines;
  };
  float* angles(int64_t b) const { return reinterpret_cast<float*>(call.workspace) + b * floats_per_sequence(); }
  Head head_of(int64_t unit) const {
    const int64_t b = unit / heads, hq = unit % heads, h = hq / group, square = covariance ? D * D : 0;
    const int64_t even = (floats_per_head() + 1) / 2 * 2, before = (size.B * floats_per_sequence() + 1) / 2 * 2;
    float* at = reinterpret_cast<float*>(call.workspace) + before + unit * even;
    double* sums = reinterpret_cast<double*>(at);
    float* mean = at + 2 * D;
    float* sigma = mean + D;
    float* block = sigma + square;
    float* centred = block + square;
    float* turned = centred + D * kTokens;
    float* moved = turned + kSlots * D;
    return {b, hq, h, entry(count, b, h), sums, mean, sigma, block, centred, turned, moved, moved + kSlots * D, angles(b)};
  }

  const float* query(const Head& head, int64_t t) const {
    return data_of<float>(q) + head.b * q.stride[0] + t * q.stride[1] + head.hq * q.stride[2];
  }
  bool counts(int64_t b, int64_t t) const {
    return data_of<int32_t>(index)[b * index.stride[0] + t * index.stride[1]] >= sinks;
  }

  void mean_angles(int64_t b) const {
    const float* frequency = data_of<float>(inv_freq) + (inv_freq.shape[0] == 1 ? 0 : b) * inv_freq.stride[0];
    const int64_t first = entry(seen, b) + static_cast<int64_t>(call.scalars[5]);
    const double factor = call.scalars[4] / static_cast<double>(future);
    float* to = angles(b);
    for (int64_t i = 0; i < half; i++) {
      double cosine = 0, sine = 0;
      for (int64_t p = first; p < first + future; p++) {
        const float angle = static_cast<float>(p) * frequency[i];  // rounded to f32 as in ropeTable
        cosine += std::cos(static_cast<double>(angle));
        sine += std::sin(static_cast<double>(angle));
      }
      to[i] = static_cast<float>(cosine * factor);
      to[half + i] = static_cast<float>(sine * factor);
    }
  }

  // @returns how many queries there are
  int64_t average(const Head& head) const {
    for (int64_t d = 0; d < D; d++) head.sums[d] = 0;
    int64_t tokens = 0;
    for (int64_t t = 0; t < C; t++) {
      if (!counts(head.b, t)) continue;
      const float* row = query(head, t);
      for (int64_t d = 0; d < D; d++) head.sums[d] += static_cast<double>(row[d]);
      tokens++;
    }
    const double part = tokens > 0 ? 1.0 / static_cast<double>(tokens) : 0.0;
    for (int64_t d = 0; d < D; d++) head.mean[d] = static_cast<float>(head.sums[d] * part);
    return tokens;
  }

  // Adds the products of `tokens` centred queries to the covariance.
  void add_block(const Head& head, int64_t tokens) const {
    const Rows<float> rows{head.centred, kTokens};
    dot_rows(DotTile<float, float>{rows, rows, tokens, head.block, D}, D, D);
    each_vec(D * D, [&](int64_t i, int64_t lanes) {
      store_some(head.sigma + i, load_some(head.sigma + i, lanes) + load_some(head.block + i, lanes), lanes);
    });
  }

  void spread(const Head& head, int64_t tokens) const {
    for (int64_t i = 0; i < D * D; i++) head.sigma[i] = 0.0f;
    int64_t filled = 0;
    for (int64_t t = 0; t < C; t++) {
      if (!counts(head.b, t)) continue;
      const float* row = query(head, t);
      for (int64_t d = 0; d < D; d++) head.centred[d * kTokens + filled] = row[d] - head.mean[d];
      if (++filled < kTokens) continue;
      add_block(head, filled);
      filled = 0;
    }
    if (filled > 0) add_block(head, filled);
    const Vec part = broadcast(tokens > 0 ? 1.0f / static_cast<float>(tokens) : 0.0f);
    each_vec(D * D, [&](int64_t i, int64_t lanes) {
      store_some(head.sigma + i, load_some(head.sigma + i, lanes) * part, lanes);
    });
  }

  // The transposed mean rotation of one key.
  void turn_back(const Head& head, float* key) const {
    for (int64_t i = 0; i < half; i++) {
      const float x = key[i], y = key[half + i];
      key[i] = head.cosines[i] * x + head.cosines[half + i] * y;
      key[half + i] = head.cosines[i] * y - head.cosines[half + i] * x;
    }
  }

  template <typename T>
  void score(const Head& head) const {
    const float scale = static_cast<float>(call.scalars[3]), second = scale * scale * 0.5f;
    const T* rows = head_slots<T>(keys, head.b, head.h);
    for (int64_t first = 0; first < head.n; first += kSlots) {
      const int64_t some = least(kSlots, head.n - first);
      for (int64_t j = 0; j < some; j++) {
        convert_row(rows + (first + j) * keys.stride[2], head.turned + j * D, D);
        turn_back(head, head.turned + j * D);
      }
      if (covariance) dot_rows(DotTile<float, float>{{head.turned, D}, {head.sigma, D}, D, head.moved, D}, some, D);
      for (int64_t j = 0; j < some; j++) {
        const float* key = head.turned + j * D;
        const float quadratic = covariance ? second * dot(key, head.moved + j * D, D) : 0.0f;
        head.logits[first + j] = fused(scale, dot(key, head.mean, D), quadratic);
      }
    }
  }
  static float fused(float scale, float linear, float quadratic) { return scale * linear + quadratic; }

  void softmax(const Head& head) const {
    const int32_t* tokens = head_slots<int32_t>(slot_index, head.b, head.h);
    float best = -__builtin_inff();
    for (int64_t j = 0; j < head.n; j++) {
      head.logits[j] = tokens[j] >= sinks ? head.logits[j] : -__builtin_inff();
      best = head.logits[j] > best ? head.logits[j] : best;
    }
    double total = 0;
    for (int64_t j = 0; j < head.n; j++) {
      const double weight = best == -__builtin_inff() ? 0.0 : std::exp(static_cast<double>(head.logits[j] - best));
      head.logits[j] = static_cast<float>(weight);
      total += weight;
    }
    const double part = total > 0 ? 1.0 / total : 0.0;
    for (int64_t j = 0; j < head.n; j++) head.logits[j] = static_cast<float>(static_cast<double>(head.logits[j]) * part);
  }

  template <typename T>
  void rate(int64_t unit) const {
    const Head head = head_of(unit);
    const int64_t tokens = average(head);
    if (covariance) spread(head, tokens);
    score<T>(head);
    softmax(head);
  }

  // The mean over the group of one key head.
  void join(int64_t unit) const {
    const int64_t b = unit / size.H, h = unit % size.H, n = entry(count, b, h);
    float* to = head_slots<float>(out, b, h);
    for (int64_t j = 0; j < size.cap; j++) {
      double sum = 0;
      for (int64_t g = 0; j < n && g < group; g++) sum += static_cast<double>(head_of(b * heads + h * group + g).logits[j]);
      to[j] = static_cast<float>(sum / static_cast<double>(group));
    }
  }
};

Status check(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 4 && c.tensors[2].rank == 4 && c.tensors[6].rank == 2, kShape,
                 "[expectedScores] wrong rank");
  const Expected e{c};
  TRIMKV_REQUIRE(e.q.dtype == DType::kF32 && e.q.shape[0] == e.size.B && contiguous_from(e.q, 3), kShape,
                 "[expectedScores] q must be [B, C, Hq, D] f32");
  TRIMKV_REQUIRE(e.size.H > 0 && e.heads > 0 && e.heads % e.size.H == 0, kShape,
                 "[expectedScores] query heads do not divide into key heads");
  TRIMKV_REQUIRE(is_slot_rows(e.keys, e.size, e.D), kShape, "[expectedScores] keys must be [B, H, cap, D] of a float dtype");
  TRIMKV_REQUIRE(e.index.dtype == DType::kI32 && has_shape(e.index, e.size.B, e.C) && is_per_head(e.count, e.size) &&
                     is_per_sequence(e.seen, e.size) && is_column(e.slot_index, DType::kI32, e.size),
                 kShape, "[expectedScores] index, count, seen and slotIndex must be i32 tables of these sizes");
  TRIMKV_REQUIRE(e.inv_freq.dtype == DType::kF32 && contiguous_from(e.inv_freq, 1) && 2 * e.half <= e.D &&
                     (e.inv_freq.shape[0] == 1 || e.inv_freq.shape[0] == e.size.B),
                 kShape, "[expectedScores] invFreq must be [1 or B, R/2] f32 with R <= D");
  TRIMKV_REQUIRE(is_column(e.out, DType::kF32, e.size) && contiguous(e.out), kShape,
                 "[expectedScores] out must be [B, H, cap] f32");
  TRIMKV_REQUIRE(is_whole(c.scalars[0], 0) && is_whole(c.scalars[1], 1) && is_whole(c.scalars[5], 0), kOption,
                 "[expectedScores] sinks, future and offset must be integers");
  return {};
}

int64_t workspace(const Call& c) { return Expected{c}.workspace_bytes(); }

Status run(const Call& c) {
  const Expected e{c};
  if (Status status = counts_within("expectedScores", e.count, e.size); !status.ok()) return status;
  for (int64_t b = 0; b < e.size.B; b++) e.mean_angles(b);
  visit_float(e.keys.dtype, [&](auto type) {
    auto head = [&](int64_t unit) { e.rate<decltype(type)>(unit); };
    parallel_for(*c.pool, e.size.B * e.heads, head);
  });
  auto join = [&](int64_t unit) { e.join(unit); };
  parallel_for(*c.pool, e.size.heads(), join);
  return {};
}

TRIMKV_OP("expectedScores", 8, 6, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
