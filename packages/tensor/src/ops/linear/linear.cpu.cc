#include "linear/linear-tile.h"

#include "core/op.h"

namespace trimkv::TRIMKV_ISA {
namespace {

constexpr int64_t kRawRows = 4;         // up to this many rows read the weight as it is stored
constexpr int64_t kRowBlock = 128;      // rows of x that stay in the second-level cache
constexpr int64_t kChunkBytes = 96 << 10;  // weight bytes of one chunk when few rows share them
constexpr int64_t kChunkColumns = 48;   // columns of one chunk when many do

struct Shape {
  int64_t rows, columns, depth;
  int64_t row_blocks, row_step, column_chunks, column_step;
};

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The split of the output into chunks; depends on shapes alone and never changes a result.
Shape plan(const Call& c) {
  const View &x = c.tensors[0], &weight = c.tensors[1];
  Shape s{};
  s.rows = x.shape[0];
  s.depth = x.shape[1];
  s.columns = weight.shape[0];
  s.row_blocks = ceil_div(s.rows, kRowBlock);
  s.row_step = s.row_blocks == 0 ? 0 : ceil_div(ceil_div(s.rows, s.row_blocks), kTileRows) * kTileRows;
  const int64_t row_bytes = s.depth * dtype_bytes(weight.dtype) + 1;
  const int64_t wanted = s.rows > 16 ? kChunkColumns : kChunkBytes / row_bytes;
  s.column_step = wanted < kPanel ? kPanel : wanted / kPanel * kPanel;
  s.column_chunks = ceil_div(s.columns, s.column_step);
  return s;
}

struct Linear {
  const Call& call;
  const Shape shape;
  const View &x = call.tensors[0], &weight = call.tensors[1], &bias = call.tensors[2], &residual = call.tensors[3],
             &out = call.tensors[4];

  const float* row(int64_t n) const { return data_of<float>(x) + n * x.stride[0]; }

  void finish(int64_t n, int64_t o, float total) const {
    if (bias.present) total += element_f32(bias.data, bias.dtype, o);
    if (residual.present) total += data_of<float>(residual)[n * residual.stride[0] + o];
    data_of<float>(out)[n * shape.columns + o] = total;
  }

  // Weight rows first … first+5; beyond `last` the last one again, whose result is dropped.
  template <typename T>
  void panel_rows(int64_t first, int64_t last, const T** rows) const {
    for (int j = 0; j < kPanel; j++) {
      const int64_t o = first + j < last ? first + j : last - 1;
      rows[j] = static_cast<const T*>(weight.data) + o * shape.depth;
    }
  }

  // All blocks of one panel for R rows, weights straight from storage.
  template <int R, typename T>
  void raw_panel(int64_t n, int64_t first, int64_t last) const {
    const T* w[kPanel];
    panel_rows(first, last, w);
    float sums[kPanel][kTileRows] = {};
    for (int64_t k = 0; k < shape.depth; k += kBlock) {
      const int64_t count = shape.depth - k < kBlock ? shape.depth - k : kBlock;
      for (int j = 0; j < kPanel; j += kTileColumns<R>) {
        add_block<R, kTileColumns<R>>(row(n) + k, x.stride[0], w + j, count, sums + j);
      }
      for (int j = 0; j < kPanel; j++) w[j] += count;
    }
    for (int64_t o = first; o < last && o < first + kPanel; o++) {
      for (int r = 0; r < R; r++) finish(n + r, o, sums[o - first][r]);
    }
  }

  template <typename T>
  void raw_chunk(int64_t first, int64_t last) const {
    for (int64_t o = first; o < last; o += kPanel) {
      switch (shape.rows) {
        case 1: raw_panel<1, T>(0, o, last); break;
        case 2: raw_panel<2, T>(0, o, last); break;
        case 3: raw_panel<3, T>(0, o, last); break;
        default: raw_panel<4, T>(0, o, last); break;
      }
    }
  }

  struct Block {
    const float* panel;  // kPanel rows of kBlock widened weights
    int64_t k, count, first, last;
  };

  template <int R>
  void packed_tile(int64_t n, const Block& b) const {
    const float* w[kPanel];
    for (int j = 0; j < kPanel; j++) w[j] = b.panel + j * kBlock;
    float sums[kPanel][kTileRows] = {};
    float* to = data_of<float>(out) + n * shape.columns + b.first;
    const int columns = b.last - b.first < kPanel ? static_cast<int>(b.last - b.first) : kPanel;
    if (b.k > 0) {
      for (int j = 0; j < columns; j++) {
        for (int r = 0; r < R; r++) sums[j][r] = to[r * shape.columns + j];
      }
    }
    for (int j = 0; j < kPanel; j += kTileColumns<R>) {
      add_block<R, kTileColumns<R>>(row(n) + b.k, x.stride[0], w + j, b.count, sums + j);
    }
    const bool last_block = b.k + b.count == shape.depth;
    for (int j = 0; j < columns; j++) {
      for (int r = 0; r < R; r++) {
        if (last_block) finish(n + r, b.first + j, sums[j][r]);
        else to[r * shape.columns + j] = sums[j][r];
      }
    }
  }

  // Rows begin … end−1 in tiles of at most four, as even as possible.
  void sweep(int64_t begin, int64_t end, const Block& b) const {
    for (int64_t n = begin; n < end;) {
      const int64_t left = end - n;
      const int64_t tiles = ceil_div(left, kTileRows);
      const int64_t rows = ceil_div(left, tiles);
      switch (rows) {
        case 1: packed_tile<1>(n, b); break;
        case 2: packed_tile<2>(n, b); break;
        case 3: packed_tile<3>(n, b); break;
        default: packed_tile<4>(n, b); break;
      }
      n += rows;
    }
  }

  template <typename T>
  void packed_chunk(int64_t begin, int64_t end, int64_t first, int64_t last) const {
    alignas(64) float panel[kPanel * kBlock];
    int64_t k = 0;
    do {
      const int64_t count = shape.depth - k < kBlock ? shape.depth - k : kBlock;
      for (int64_t o = first; o < last; o += kPanel) {
        const T* w[kPanel];
        panel_rows(o, last, w);
        for (int j = 0; j < kPanel; j++) convert_row(w[j] + k, panel + j * kBlock, count);
        sweep(begin, end, {panel, k, count, o, last});
      }
      k += kBlock;
    } while (k < shape.depth);
  }
};

Status check(const Call& c) { (void)c; return {}; }

Status run(const Call& c) {
  const Linear linear{c, plan(c)};
  const Shape& s = linear.shape;
  auto chunk = [&](int64_t index) {
    const int64_t begin = index / s.column_chunks * s.row_step;
    const int64_t end = begin + s.row_step < s.rows ? begin + s.row_step : s.rows;
    const int64_t first = index % s.column_chunks * s.column_step;
    const int64_t last = first + s.column_step < s.columns ? first + s.column_step : s.columns;
    visit_float(linear.weight.dtype, [&](auto type) {
      using T = decltype(type);
      if (s.rows <= kRawRows) linear.raw_chunk<T>(first, last);
      else linear.packed_chunk<T>(begin, end, first, last);
    });
  };
  parallel_for(*c.pool, s.row_blocks * s.column_chunks, chunk);
  return {};
}

TRIMKV_OP("linear", 5, 0, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
