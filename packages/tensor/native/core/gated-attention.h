#pragma once
#include <cmath>

#include "core/load.h"
#include "core/matrix-tile.h"
#include "core/op.h"
#include "core/slot-table.h"

// What gated attention and its gradient share: the checks, the tiles of keys, and the logits of a tile.
namespace trimkv::TRIMKV_ISA {

constexpr int64_t kTile = 64;                // queries and keys of one tile
constexpr int64_t kTileStride = kTile + 16;  // an odd number of cache lines, so that rows spread over all sets
constexpr int64_t kMaxDepth = 256;           // head size
constexpr int64_t kMaxDepthStride = kMaxDepth + 16;
constexpr float kNegligible = 30.0f;         // weights below e^−30 of the largest are left out

static inline int64_t tiles_of(int64_t n) { return (n + kTile - 1) / kTile; }
static inline int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t even(int64_t n) { return (n + 1) / 2 * 2; }

// q [B, T, Hq, D], k and v [B, T, H, D], logBeta? [B, T, H], start? [B, T]: the first tensors of both ops.
struct GatedAttention {
  const Call& call;
  const View &q = call.tensors[0], &k = call.tensors[1], &v = call.tensors[2], &log_beta = call.tensors[3],
             &start = call.tensors[4];
  const int64_t B = q.shape[0], T = q.shape[1], Hq = q.shape[2], D = q.shape[3], H = k.shape[2];
  const int64_t group = H == 0 ? 0 : Hq / H, tiles = tiles_of(T);
  const int64_t width = (D + kWidth - 1) / kWidth * kWidth;  // a row of D in whole vectors
  const int64_t stride = width % 32 == 16 ? width : width / 32 * 32 + (width % 32 > 16 ? 48 : 16);
  const float scale = static_cast<float>(call.scalars[0]);

  int64_t tile_size(int64_t tile) const { return least_of(kTile, T - tile * kTile); }
  int64_t first_seen(int64_t b, int64_t t) const { return start.present ? entry(start, b, t) : 0; }
};

// Row (b, t, h) of a [B, T, heads, …] tensor.
static inline float* row_of(const View& v, int64_t b, int64_t t, int64_t h) {
  return data_of<float>(v) + b * v.stride[0] + t * v.stride[1] + h * v.stride[2];
}

static inline bool is_rows(const View& v, int64_t B, int64_t T, int64_t heads, int64_t D) {
  return v.dtype == DType::kF32 && has_shape(v, B, T, heads, D) && contiguous_from(v, 3);
}

static inline Status check_gated(const char* op, const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 4 && c.tensors[1].rank == 4, kShape, "[%s] q and k must have four axes", op);
  const GatedAttention a{c};
  TRIMKV_REQUIRE(is_rows(a.q, a.B, a.T, a.Hq, a.D), kShape, "[%s] q must be [B, T, Hq, D] f32", op);
  TRIMKV_REQUIRE(is_rows(a.k, a.B, a.T, a.H, a.D) && is_rows(a.v, a.B, a.T, a.H, a.D), kShape,
                 "[%s] k and v must be [B, T, H, D] f32", op);
  TRIMKV_REQUIRE(a.H > 0 && a.Hq % a.H == 0, kShape, "[%s] query heads do not divide into key heads", op);
  TRIMKV_REQUIRE(a.D <= kMaxDepth && a.T <= (1 << 24), kUnsupported, "[%s] the head or the row is too long", op);
  TRIMKV_REQUIRE(!a.log_beta.present || (a.log_beta.dtype == DType::kF32 && has_shape(a.log_beta, a.B, a.T, a.H)),
                 kShape, "[%s] logBeta must be [B, T, H] f32", op);
  TRIMKV_REQUIRE(!a.start.present || (a.start.dtype == DType::kI32 && has_shape(a.start, a.B, a.T)), kShape,
                 "[%s] start must be [B, T] i32", op);
  TRIMKV_REQUIRE(std::isfinite(a.scale), kOption, "[%s] scale must be finite", op);
  return {};
}

static inline Status check_starts(const char* op, const GatedAttention& a) {
  if (!a.start.present) return {};
  for (int64_t b = 0; b < a.B; b++) {
    int64_t before = 0;
    for (int64_t t = 0; t < a.T; t++) {
      const int64_t first = a.first_seen(b, t);
      TRIMKV_REQUIRE(first >= before && first <= t, kInvariant,
                     "[%s] start %lld of token %lld falls along the row or lies after the token", op,
                     static_cast<long long>(first), static_cast<long long>(t));
      before = first;
    }
  }
  return {};
}

// ---- rows into tiles ----

// Up to a tile of rows, `step` elements apart.
struct RowBlock {
  const float* data;
  int64_t step, rows, depth;

  const float* row(int64_t r) const { return data + r * step; }
};

// Rows times `factor`, zeros up to `width` and up to an even number of rows.
static inline void copy_rows(const RowBlock& from, float factor, float* to, int64_t width, int64_t stride) {
  for (int64_t r = 0; r < from.rows; r++, to += stride) {
    const float* row = from.row(r);
    each_vec(from.depth, [&](int64_t d, int64_t lanes) { store(to + d, load_some(row + d, lanes) * factor); });
  }
  if (from.rows % 2 != 0) __builtin_memset(to, 0, static_cast<uint64_t>(width) * sizeof(float));
}

// to[d, r], zeros up to a whole tile.
static inline void transpose_rows(const RowBlock& from, float* to) {
  for (int64_t d = 0; d < from.depth; d++, to += kTileStride) {
    for (int64_t r = 0; r < from.rows; r++) to[r] = from.row(r)[d];
    for (int64_t r = from.rows; r < kTile; r++) to[r] = 0.0f;
  }
}

// The larger one; NaN if either is.
static inline float larger(float a, float b) { return a > b || a != a ? a : b; }

// Largest length of a row, rounded up a little.
static inline float largest_norm(const RowBlock& rows) {
  float most = 0.0f;
  for (int64_t r = 0; r < rows.rows; r++) most = larger(dot(rows.row(r), rows.row(r), rows.depth), most);
  return std::sqrt(most) * 1.00001f;
}

// What one tile of keys knows about itself besides its rows.
struct KeyTile {
  float log_beta[kTile];
  float largest_norm, largest_log_beta;
};

static inline void describe_keys(const GatedAttention& a, const RowBlock& keys, int64_t b, int64_t h, int64_t tile,
                                 KeyTile& to) {
  to.largest_norm = largest_norm(keys);
  to.largest_log_beta = a.log_beta.present ? -__builtin_inff() : 0.0f;
  for (int64_t j = 0; j < kTile; j++) {
    const bool given = a.log_beta.present && j < keys.rows;
    to.log_beta[j] = given ? *row_of(a.log_beta, b, tile * kTile + j, h) : 0.0f;
    if (given) to.largest_log_beta = larger(to.log_beta[j], to.largest_log_beta);
  }
}

// ---- a tile of queries against a tile of keys ----

// Query rows of one head and how far they see.
struct QueryTile {
  int64_t first, rows;  // tokens
  float largest_norm;   // of the scaled queries
  int64_t seen[kTile];  // first token that each row sees

  void describe(const GatedAttention& a, int64_t b, int64_t tile) {
    first = tile * kTile;
    rows = a.tile_size(tile);
    for (int64_t r = 0; r < rows; r++) seen[r] = a.first_seen(b, first + r);
  }

  // Whether every key of an older tile has a logit below `floor` − kNegligible for all rows; NaN says no.
  bool negligible(const KeyTile& keys, int64_t key, float floor) const {
    const int64_t age = keys.largest_log_beta > 0.0f ? first + rows - 1 - key : first - (key + kTile - 1);
    return largest_norm * keys.largest_norm + static_cast<float>(age) * keys.largest_log_beta < floor - kNegligible;
  }
};

// One row of logits in registers.
constexpr int kTileVecs = kTile / kWidth;

static inline Vec iota() {
  Vec v{};
  for (int i = 0; i < kWidth; i++) v[i] = static_cast<float>(i);
  return v;
}

// Calls body(column, age, mask) for every vector of row r that has keys the row sees, and none(column) for the others.
// `mask` selects the keys seen; it is all ones unless kMasked. Ages are exact.
template <bool kMasked, typename Body, typename None>
static inline __attribute__((always_inline)) void each_column(const QueryTile& queries, int64_t r, int64_t key,
                                                              Body&& body, None&& none) {
  const int64_t token = queries.first + r;
  const Vec ages = broadcast(static_cast<float>(token - key)) - iota();
  const Vec oldest = broadcast(static_cast<float>(token - queries.seen[r]));
#pragma GCC unroll 16
  for (int i = 0; i < kTileVecs; i++) {
    const Vec age = ages - static_cast<float>(i * kWidth);
    if constexpr (kMasked) {
      const int64_t newest = token - key - i * kWidth;  // age of the first key of the vector
      if (newest < 0 || newest - (kWidth - 1) > token - queries.seen[r]) {
        none(i * kWidth);
      } else {
        body(i * kWidth, age, (age >= 0.0f) & (age <= oldest));
      }
    } else {
      body(i * kWidth, age, ~VecI{});
    }
  }
}

// e^x for x ≤ 0 (a little above is fine): below −87 exactly 0, NaN → NaN.
static inline Vec exp_negative(Vec x) {
  const Vec low = broadcast(-87.0f), shift = broadcast(0x1.8p23f);
  const VecI tiny = x < low;
  x = max(low, x);
  const Vec shifted = fma(x, broadcast(0x1.715476p0f), shift);
  const Vec n = shifted - shift;
  Vec r = fma(n, broadcast(-0x1.62e4p-1f), x);
  r = fma(n, broadcast(-0x1.7f7d1cp-20f), r);
  Vec p = broadcast(0x1.6850e4p-10f);
  p = fma(p, r, broadcast(0x1.123bccp-7f));
  p = fma(p, r, broadcast(0x1.555b98p-5f));
  p = fma(p, r, broadcast(0x1.55548ep-3f));
  p = fma(p, r, broadcast(0x1.fffff8p-2f));
  p = fma(p * r, r, r) + 1.0f;
  // `shift` itself leaves no bit in the exponent. Unsigned: NaN and what lies far above 0 may wrap.
  p = p * bits_as<Vec>((bits_as<VecU>(shifted) << 23) + 0x3f800000U);
  return tiny ? Vec{} : p;
}

}  // namespace trimkv::TRIMKV_ISA
