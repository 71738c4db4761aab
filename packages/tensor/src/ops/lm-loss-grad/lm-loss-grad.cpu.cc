#include "core/soft-row.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// logits, teacher? [N, V] f32 (rows strided), targets [N] i32, dKl [N], dCe [N] f32, out [N, V] f32; scalars: reverse
Status check(const Call& c) {
  const View &logits = c.tensors[0], &out = c.tensors[5];
  const Status status = check_lm(c, "lmLossGrad");
  if (!status.ok()) return status;
  for (int i = 3; i < 5; i++) {
    const Status values = check_row_values(c.tensors[i], logits.shape[0], "lmLossGrad");
    if (!values.ok()) return values;
  }
  TRIMKV_REQUIRE(out.rank == 2 && out.shape[0] == logits.shape[0] && out.shape[1] == logits.shape[1] && contiguous(out),
                 kShape, "[lmLossGrad] out has another shape, or is strided");
  TRIMKV_REQUIRE(out.dtype == DType::kF32, kDtype, "[lmLossGrad] wrong dtype");
  return {};
}

// Gradients of both losses of one row; 0 where the loss does not exist.
struct RowGrad {
  double kl, ce;
};

// by·P
void cross_entropy_row(const SoftRow& p, double by, int64_t width, float* out) {
  const float scale = static_cast<float>(by / p.sum);
  each_vec(width, [&](int64_t i, int64_t lanes) {
    store_some(out + i, exp(load_some(p.logits + i, lanes) - p.top) * scale, lanes);
  });
}

// dKl·(P − Q) + dCe·P
void forward_row(const SoftRow& p, const SoftRow& q, RowGrad d, int64_t width, float* out) {
  const float student = static_cast<float>((d.kl + d.ce) / p.sum), teacher = static_cast<float>(d.kl / q.sum);
  each_vec(width, [&](int64_t i, int64_t lanes) {
    const Vec a = exp(load_some(p.logits + i, lanes) - p.top), b = exp(load_some(q.logits + i, lanes) - q.top);
    store_some(out + i, a * student - b * teacher, lanes);
  });
}

// dKl·P·(log P/Q − kl) + dCe·P, where log P/Q − kl = δ − mean
void reverse_row(const Divergence& by, const SoftRow& q, RowGrad d, int64_t width, float* out) {
  const SoftRow& p = by.p;
  const float kl = static_cast<float>(d.kl / p.sum), ce = static_cast<float>(d.ce / p.sum);
  const float mean = static_cast<float>(by.mean);
  each_vec(width, [&](int64_t i, int64_t lanes) {
    const Vec a = load_some(p.logits + i, lanes), e = exp(a - p.top);
    const Vec above = relative(p, by.facing, a, load_some(q.logits + i, lanes)) - mean;
    store_some(out + i, e > 0.0f ? e * (kl * above + ce) : Vec{}, lanes);
  });
}

Status run(const Call& c) {
  const View &logits = c.tensors[0], &teacher = c.tensors[1];
  const int64_t width = logits.shape[1];
  const bool reverse = c.scalars[0] != 0;
  const Status status = check_targets(c.tensors[2], width, "lmLossGrad");
  if (!status.ok()) return status;
  auto row = [&](int64_t n) {
    const float* student = data_of<float>(logits) + n * logits.stride[0];
    float* out = data_of<float>(c.tensors[5]) + n * width;
    const int32_t target = data_of<int32_t>(c.tensors[2])[n];
    const RowGrad d = {teacher.present ? static_cast<double>(data_of<float>(c.tensors[3])[n]) : 0.0,
                       target == kIgnoredTarget ? 0.0 : static_cast<double>(data_of<float>(c.tensors[4])[n])};
    if (d.kl == 0 && d.ce == 0) {
      __builtin_memset(out, 0, static_cast<uint64_t>(width) * sizeof(float));
      return;
    }
    if (d.kl == 0) {
      cross_entropy_row(soft_row(student, width), d.ce, width, out);
    } else {
      const SoftRow q = soft_row(data_of<float>(teacher) + n * teacher.stride[0], width);
      if (reverse) {
        reverse_row(divergence(student, q, width), q, d, width, out);
      } else {
        forward_row(soft_row(student, width), q, d, width, out);
      }
    }
    if (target != kIgnoredTarget) out[target] -= static_cast<float>(d.ce);
  };
  parallel_for(*c.pool, logits.shape[0], row);
  return {};
}

TRIMKV_OP("lmLossGrad", 6, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
