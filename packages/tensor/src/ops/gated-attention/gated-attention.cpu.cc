#include "core/gated-attention.h"

// Keys are turned and values copied tile by tile first; then tiles of 64 queries of one head walk the tiles of keys
// from the diagonal backwards, so that the largest logit is known early and faded keys are passed over.
namespace trimkv::TRIMKV_ISA {
namespace {

struct Forward : GatedAttention {
  const View &out = call.tensors[5], &lse = call.tensors[6];
  const int64_t tile_floats = D * kTileStride + kTile * stride;

  KeyTile* key_tiles() const { return reinterpret_cast<KeyTile*>(call.workspace); }
  int64_t key_tile_bytes() const { return (B * H * tiles * int64_t{sizeof(KeyTile)} + 63) / 64 * 64; }
  int64_t workspace_bytes() const { return key_tile_bytes() + B * H * tiles * tile_floats * int64_t{sizeof(float)}; }

  // Tile number (b · H + h) · tiles + tile: keys [D, kTileStride], then values [kTile, stride].
  float* keys_of(int64_t index) const {
    return reinterpret_cast<float*>(call.workspace + key_tile_bytes()) + index * tile_floats;
  }
  float* values_of(int64_t index) const { return keys_of(index) + D * kTileStride; }

  void pack(int64_t index) const {
    const int64_t tile = index % tiles, h = index / tiles % H, b = index / tiles / H;
    const RowBlock keys{row_of(k, b, tile * kTile, h), k.stride[1], tile_size(tile), D};
    const RowBlock values{row_of(v, b, tile * kTile, h), v.stride[1], tile_size(tile), D};
    transpose_rows(keys, keys_of(index));
    copy_rows(values, 1.0f, values_of(index), width, stride);
    describe_keys(*this, keys, b, h, tile, key_tiles()[index]);
  }

  void attend(int64_t unit) const;
};

// Logits may rise this far above `shift` before the sums are rescaled: f32 has the room, and it happens seldom.
constexpr float kHeadroom = 8.0f;

struct Softmax : QueryTile {
  float shift[kTile], keep[kTile];  // weights are exp(logit − shift), shift a logit of the row
  bool rescaled;
  alignas(64) float totals[kTile * kWidth];  // Σ weights, lane by lane
  alignas(64) float q[kTile * kMaxDepthStride];
  alignas(64) float sums[kTile * kMaxDepthStride];
  alignas(64) float weights[kTile * kTileStride];

  void clear(int64_t stride) {
    __builtin_memset(totals, 0, sizeof(totals));
    __builtin_memset(sums, 0, static_cast<uint64_t>(even(rows) * stride) * sizeof(float));
    for (int64_t r = 0; r < kTile; r++) {
      shift[r] = -__builtin_inff();
      keep[r] = 1.0f;
    }
  }

  float floor() const {
    float least = shift[0];
    for (int64_t r = 1; r < rows; r++) least = shift[r] < least ? shift[r] : least;
    return least;
  }

  // Products q·k become logits. How far the largest lies above the shift of its row.
  template <bool kGated, bool kMasked>
  float complete(const KeyTile& keys, int64_t key) {
    const Vec nothing = broadcast(-__builtin_inff());
    Vec above = nothing;
    for (int64_t r = 0; r < rows; r++) {
      float* row = weights + r * kTileStride;
      Vec most = nothing;
      each_column<kMasked>(
          *this, r, key,
          [&](int64_t j, Vec age, VecI mask) {
            Vec logit = load(row + j);
            if constexpr (kGated) logit = fma(age, load(keys.log_beta + j), logit);
            if constexpr (kMasked) logit = mask ? logit : nothing;
            if constexpr (kGated || kMasked) store(row + j, logit);
            most = max(most, logit);
          },
          [&](int64_t j) { store(row + j, nothing); });
      above = max(above, most - shift[r]);
    }
    return max_lane(above);
  }

  // Lifts the shift of the rows that need it; what they have added so far is to be scaled by keep.
  void rescale() {
    for (int64_t r = 0; r < rows; r++) {
      Vec most = broadcast(shift[r]);
      for (int64_t j = 0; j < kTile; j += kWidth) most = max(most, load(weights + r * kTileStride + j));
      const float now = max_lane(most);
      const bool raised = !(now <= shift[r] + kHeadroom);
      keep[r] = raised ? exp_negative(broadcast(shift[r] - now))[0] : 1.0f;
      if (raised) shift[r] = now;
      store(totals + r * kWidth, load(totals + r * kWidth) * keep[r]);
    }
  }

  template <bool kGated, bool kMasked>
  void weigh(const KeyTile& keys, int64_t key) {
    rescaled = !(complete<kGated, kMasked>(keys, key) <= kHeadroom);
    if (rescaled) rescale();
    for (int64_t r = 0; r < rows; r++) {
      float* row = weights + r * kTileStride;
      Vec total = load(totals + r * kWidth);
#pragma GCC unroll 16
      for (int64_t j = 0; j < kTile; j += kWidth) {
        const Vec weight = exp_negative(load(row + j) - shift[r]);
        store(row + j, weight);
        total = total + weight;
      }
      store(totals + r * kWidth, total);
    }
  }
};

void Forward::attend(int64_t unit) const {
  const int64_t head = unit % Hq, b = unit / Hq % B, tile = tiles - 1 - unit / Hq / B;  // the longest first
  const int64_t h = head / group;
  Softmax s;
  s.describe(*this, b, tile);
  copy_rows({row_of(q, b, s.first, head), q.stride[1], s.rows, D}, scale, s.q, width, stride);
  s.largest_norm = largest_norm({s.q, stride, s.rows, D});
  const int64_t rows = even(s.rows);
  s.clear(stride);
  for (int64_t j = tile; j >= s.seen[0] / kTile; j--) {
    const int64_t index = (b * H + h) * tiles + j, key = j * kTile;
    const KeyTile& keys = key_tiles()[index];
    const bool diagonal = j == tile, masked = diagonal || s.seen[s.rows - 1] > key;
    if (!diagonal && s.negligible(keys, key, s.floor())) continue;
    multiply<Product::kFresh>(
        {s.q, stride, keys_of(index), kTileStride, s.weights, kTileStride, rows, D, kTile, diagonal, nullptr});
    if (log_beta.present) {
      masked ? s.weigh<true, true>(keys, key) : s.weigh<true, false>(keys, key);
    } else {
      masked ? s.weigh<false, true>(keys, key) : s.weigh<false, false>(keys, key);
    }
    const float* keep = s.rescaled ? s.keep : nullptr;
    multiply<Product::kOnto>({s.weights, kTileStride, values_of(index), stride, s.sums, stride, rows, tile_size(j),
                              width, diagonal, keep});
  }
  for (int64_t r = 0; r < s.rows; r++) {
    const float total = sum(load(s.totals + r * kWidth));
    const Vec share = broadcast(1.0f / total);
    float* to = row_of(out, b, s.first + r, head);
    each_vec(D, [&](int64_t d, int64_t lanes) { store_some(to + d, load(s.sums + r * stride + d) * share, lanes); });
    *row_of(lse, b, s.first + r, head) = s.shift[r] + std::log(total);
  }
}

Status check(const Call& c) {
  if (Status status = check_gated("gatedAttention", c); !status.ok()) return status;
  const Forward a{{c}};
  TRIMKV_REQUIRE(is_rows(a.out, a.B, a.T, a.Hq, a.D) && contiguous(a.out), kShape,
                 "[gatedAttention] out must be [B, T, Hq, D] f32");
  TRIMKV_REQUIRE(a.lse.dtype == DType::kF32 && has_shape(a.lse, a.B, a.T, a.Hq) && contiguous(a.lse), kShape,
                 "[gatedAttention] lse must be [B, T, Hq] f32");
  return {};
}

int64_t workspace(const Call& c) { return Forward{{c}}.workspace_bytes(); }

Status run(const Call& c) {
  const Forward a{{c}};
  if (Status status = check_starts("gatedAttention", a); !status.ok()) return status;
  auto pack = [&](int64_t index) { a.pack(index); };
  parallel_for(*c.pool, a.B * a.H * a.tiles, pack);
  auto attend = [&](int64_t unit) { a.attend(unit); };
  parallel_for(*c.pool, a.B * a.Hq * a.tiles, attend);
  return {};
}

TRIMKV_OP("gatedAttention", 7, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
