#include "core/gated-attention.h"

// One pass over the pairs of tiles recomputes the weights and feeds all gradients. The query tiles of the heads of a
// group are dealt to a few shares, as many as the shapes say; each share adds its keys' gradients into memory of its
// own, and the shares are added in order at the end.
namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kUnits = 8;  // parts to cut the work into, where a batch has fewer key heads

struct Pairs;

struct Backward : GatedAttention {
  const View &out = call.tensors[5], &lse = call.tensors[6], &dout = call.tensors[7], &dq = call.tensors[8],
             &dk = call.tensors[9], &dv = call.tensors[10], &dlog_beta = call.tensors[11];
  const int64_t heads = B * H, items = group * tiles;
  const int64_t shares = heads == 0 ? 0 : least_of(items, (kUnits + heads - 1) / heads);
  // Floats of a packed tile: keys and values [D, kTileStride], keys [kTile, stride]; and of its gradients in one share.
  const int64_t packed = 2 * D * kTileStride + kTile * stride, gradients = 2 * kTile * stride + kTile;

  KeyTile* key_tiles() const { return reinterpret_cast<KeyTile*>(call.workspace); }
  // Whether a share has added anything to a tile: only then its gradients there are more than undefined memory.
  bool& touched(int64_t head, int64_t share, int64_t tile) const {
    return reinterpret_cast<bool*>(key_tiles() + heads * tiles)[(head * shares + share) * tiles + tile];
  }
  int64_t head_bytes() const { return (heads * tiles * (int64_t{sizeof(KeyTile)} + shares) + 63) / 64 * 64; }
  int64_t workspace_bytes() const {
    return head_bytes() + heads * tiles * (packed + shares * gradients) * int64_t{sizeof(float)};
  }

  // Tile number (b · H + h) · tiles + tile.
  float* keys_turned(int64_t index) const {
    return reinterpret_cast<float*>(call.workspace + head_bytes()) + index * packed;
  }
  float* values_turned(int64_t index) const { return keys_turned(index) + D * kTileStride; }
  float* keys_of(int64_t index) const { return values_turned(index) + D * kTileStride; }
  // Gradients of one tile in one share: of keys, of values, of logBeta.
  float* gradients_of(int64_t head, int64_t share, int64_t tile) const {
    return keys_turned(heads * tiles) + ((head * shares + share) * tiles + tile) * gradients;
  }

  void pack(int64_t index) const {
    const int64_t tile = index % tiles, h = index / tiles % H, b = index / tiles / H;
    const RowBlock keys{row_of(k, b, tile * kTile, h), k.stride[1], tile_size(tile), D};
    const RowBlock values{row_of(v, b, tile * kTile, h), v.stride[1], tile_size(tile), D};
    transpose_rows(keys, keys_turned(index));
    transpose_rows(values, values_turned(index));
    copy_rows(keys, 1.0f, keys_of(index), width, stride);
    describe_keys(*this, keys, b, h, tile, key_tiles()[index]);
  }

  // The gradients of a tile in one share, zeros before anything is added.
  float* open(int64_t head, int64_t share, int64_t tile) const {
    float* to = gradients_of(head, share, tile);
    if (!touched(head, share, tile)) __builtin_memset(to, 0, static_cast<uint64_t>(gradients) * sizeof(float));
    touched(head, share, tile) = true;
    return to;
  }

  void add_pairs(Pairs& p, int64_t index, float* dkeys) const;
  void differentiate(int64_t unit) const;
  void add_shares(int64_t index) const;
};

// A tile of queries of one head with everything its pairs need.
struct Pairs : QueryTile {
  float lse[kTile], mean[kTile];  // mean = dout · out
  alignas(64) float q[kTile * kMaxDepthStride];  // times the scale
  alignas(64) float dout[kTile * kMaxDepthStride];
  alignas(64) float dq[kTile * kMaxDepthStride];  // over the scale
  alignas(64) float weights[kTile * kTileStride];
  alignas(64) float dlogits[kTile * kTileStride];

  void load_tile(const Backward& a, int64_t b, int64_t head, int64_t tile) {
    describe(a, b, tile);
    const RowBlock gradient{row_of(a.dout, b, first, head), a.dout.stride[1], rows, a.D};
    copy_rows({row_of(a.q, b, first, head), a.q.stride[1], rows, a.D}, a.scale, q, a.width, a.stride);
    copy_rows(gradient, 1.0f, dout, a.width, a.stride);
    largest_norm = trimkv::TRIMKV_ISA::largest_norm({q, a.stride, rows, a.D});
    for (int64_t r = 0; r < rows; r++) {
      lse[r] = *row_of(a.lse, b, first + r, head);
      mean[r] = dot(gradient.row(r), row_of(a.out, b, first + r, head), a.D);
    }
    __builtin_memset(dq, 0, static_cast<uint64_t>(even(rows) * a.stride) * sizeof(float));
  }

  float floor() const {
    float least = lse[0];
    for (int64_t r = 1; r < rows; r++) least = lse[r] < least ? lse[r] : least;
    return least;
  }

  // Row r: products q·k become weights, products dout·v gradients of the logits.
  template <bool kGated, bool kMasked>
  void weigh_row(int64_t r, const KeyTile& keys, int64_t key, float* dlog_beta) {
    float *p = weights + r * kTileStride, *ds = dlogits + r * kTileStride;
    each_column<kMasked>(
        *this, r, key,
        [&](int64_t j, Vec age, VecI mask) {
          Vec logit = load(p + j);
          if constexpr (kGated) logit = fma(age, load(keys.log_beta + j), logit);
          Vec weight = exp_negative(logit - lse[r]);
          if constexpr (kMasked) weight = mask ? weight : Vec{};
          Vec change = weight * (load(ds + j) - mean[r]);
          if constexpr (kMasked) change = mask ? change : Vec{};
          store(p + j, weight);
          store(ds + j, change);
          if constexpr (kGated) store(dlog_beta + j, fma(age, change, load(dlog_beta + j)));
        },
        [&](int64_t j) {
          store(p + j, Vec{});
          store(ds + j, Vec{});
        });
  }

  template <bool kGated, bool kMasked>
  void weigh(const KeyTile& keys, int64_t key, float* dlog_beta) {
    for (int64_t r = 0; r < rows; r++) weigh_row<kGated, kMasked>(r, keys, key, dlog_beta);
  }
};

// All gradients of the pairs of a tile of queries with a tile of keys.
void Backward::add_pairs(Pairs& p, int64_t index, float* dkeys) const {
  const int64_t key = index % tiles * kTile, queries = even(p.rows), size = least_of(kTile, T - key), keys = even(size);
  const bool diagonal = key == p.first, masked = diagonal || p.seen[p.rows - 1] > key;
  const KeyTile& known = key_tiles()[index];
  float *dvalues = dkeys + kTile * stride, *dbetas = dvalues + kTile * stride;
  multiply<Product::kFresh>({p.q, stride, keys_turned(index), kTileStride, p.weights, kTileStride, queries, D, kTile,
                             diagonal, nullptr});
  multiply<Product::kFresh>({p.dout, stride, values_turned(index), kTileStride, p.dlogits, kTileStride, queries, D,
                             kTile, diagonal, nullptr});
  if (log_beta.present) {
    masked ? p.weigh<true, true>(known, key, dbetas) : p.weigh<true, false>(known, key, dbetas);
  } else {
    masked ? p.weigh<false, true>(known, key, dbetas) : p.weigh<false, false>(known, key, dbetas);
  }
  multiply<Product::kTransposedOnto>(
      {p.weights, kTileStride, p.dout, stride, dvalues, stride, keys, p.rows, width, diagonal, nullptr});
  multiply<Product::kTransposedOnto>(
      {p.dlogits, kTileStride, p.q, stride, dkeys, stride, keys, p.rows, width, diagonal, nullptr});
  multiply<Product::kOnto>(
      {p.dlogits, kTileStride, keys_of(index), stride, p.dq, stride, queries, size, width, diagonal, nullptr});
}

void Backward::differentiate(int64_t unit) const {
  const int64_t share = unit % shares, head = unit / shares, b = head / H, h = head % H;
  for (int64_t tile = 0; tile < tiles; tile++) touched(head, share, tile) = false;
  Pairs p;
  for (int64_t item = share; item < items; item += shares) {
    const int64_t tile = item / group, query_head = h * group + item % group;
    p.load_tile(*this, b, query_head, tile);
    const float floor = p.floor();
    for (int64_t j = tile; j >= p.seen[0] / kTile; j--) {
      const int64_t index = head * tiles + j;
      if (j < tile && p.negligible(key_tiles()[index], j * kTile, floor)) continue;
      add_pairs(p, index, open(head, share, j));
    }
    for (int64_t r = 0; r < p.rows; r++) {
      float* to = row_of(dq, b, p.first + r, query_head);
      each_vec(D, [&](int64_t d, int64_t lanes) { store_some(to + d, load(p.dq + r * stride + d) * scale, lanes); });
    }
  }
}

// Adds the gradients of one tile of keys over the shares.
void Backward::add_shares(int64_t index) const {
  const int64_t tile = index % tiles, head = index / tiles, b = head / H, h = head % H;
  float* total = open(head, 0, tile);
  for (int64_t share = 1; share < shares; share++) {
    if (!touched(head, share, tile)) continue;
    const float* part = gradients_of(head, share, tile);
    for (int64_t i = 0; i < gradients; i += kWidth) store(total + i, load(total + i) + load(part + i));
  }
  for (int64_t r = 0; r < tile_size(tile); r++) {
    const int64_t t = tile * kTile + r;
    convert_row(total + r * stride, row_of(dk, b, t, h), D);
    convert_row(total + (kTile + r) * stride, row_of(dv, b, t, h), D);
    *row_of(dlog_beta, b, t, h) = total[2 * kTile * stride + r];
  }
}

Status check(const Call& c) {
  if (Status status = check_gated("gatedAttentionGrad", c); !status.ok()) return status;
  const Backward a{{c}};
  const auto is_lse = [&](const View& v, int64_t n) { return v.dtype == DType::kF32 && has_shape(v, a.B, a.T, n); };
  TRIMKV_REQUIRE(is_rows(a.out, a.B, a.T, a.Hq, a.D) && is_rows(a.dout, a.B, a.T, a.Hq, a.D), kShape,
                 "[gatedAttentionGrad] out and dout must be [B, T, Hq, D] f32");
  TRIMKV_REQUIRE(is_lse(a.lse, a.Hq), kShape, "[gatedAttentionGrad] lse must be [B, T, Hq] f32");
  TRIMKV_REQUIRE(is_rows(a.dq, a.B, a.T, a.Hq, a.D) && contiguous(a.dq), kShape,
                 "[gatedAttentionGrad] dq must be [B, T, Hq, D] f32");
  TRIMKV_REQUIRE(is_rows(a.dk, a.B, a.T, a.H, a.D) && is_rows(a.dv, a.B, a.T, a.H, a.D) && contiguous(a.dk) &&
                     contiguous(a.dv),
                 kShape, "[gatedAttentionGrad] dk and dv must be [B, T, H, D] f32");
  TRIMKV_REQUIRE(is_lse(a.dlog_beta, a.H) && contiguous(a.dlog_beta), kShape,
                 "[gatedAttentionGrad] dLogBeta must be [B, T, H] f32");
  return {};
}

int64_t workspace(const Call& c) { return Backward{{c}}.workspace_bytes(); }

Status run(const Call& c) {
  const Backward a{{c}};
  if (Status status = check_starts("gatedAttentionGrad", a); !status.ok()) return status;
  auto pack = [&](int64_t index) { a.pack(index); };
  parallel_for(*c.pool, a.heads * a.tiles, pack);
  auto differentiate = [&](int64_t unit) { a.differentiate(unit); };
  parallel_for(*c.pool, a.heads * a.shares, differentiate);
  auto add_shares = [&](int64_t index) { a.add_shares(index); };
  parallel_for(*c.pool, a.heads * a.tiles, add_shares);
  return {};
}

TRIMKV_OP("gatedAttentionGrad", 12, 1, check, workspace, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
