#include "core/soft-row.h"

namespace trimkv::TRIMKV_ISA {
namespace {

// logits, teacher? [N, V] f32 (rows strided), targets [N] i32, kl [N], ce [N] f32; scalars: reverse
Status check(const Call& c) {
  const Status status = check_lm(c, "lmLoss");
  if (!status.ok()) return status;
  const Status kl = check_row_values(c.tensors[3], c.tensors[0].shape[0], "lmLoss");
  return kl.ok() ? check_row_values(c.tensors[4], c.tensors[0].shape[0], "lmLoss") : kl;
}

Status run(const Call& c) {
  const View &logits = c.tensors[0], &teacher = c.tensors[1];
  const int64_t width = logits.shape[1];
  const bool reverse = c.scalars[0] != 0;
  const Status status = check_targets(c.tensors[2], width, "lmLoss");
  if (!status.ok()) return status;
  auto row = [&](int64_t n) {
    const float* student = data_of<float>(logits) + n * logits.stride[0];
    const int32_t target = data_of<int32_t>(c.tensors[2])[n];
    SoftRow p = {student, 0, 1};
    double kl = 0;
    if (teacher.present) {
      const float* wanted = data_of<float>(teacher) + n * teacher.stride[0];
      if (reverse) {
        const Divergence d = divergence(student, soft_row(wanted, width), width);
        p = d.p;
        kl = d.kl;
      } else {
        p = soft_row(student, width);
        kl = divergence(wanted, p, width).kl;
      }
    } else if (target != kIgnoredTarget) {
      p = soft_row(student, width);
    }
    const double ce = target == kIgnoredTarget ? 0 : p.log_norm() - static_cast<double>(student[target]);
    data_of<float>(c.tensors[3])[n] = static_cast<float>(kl);
    data_of<float>(c.tensors[4])[n] = static_cast<float>(ce);
  };
  parallel_for(*c.pool, logits.shape[0], row);
  return {};
}

TRIMKV_OP("lmLoss", 5, 1, check, nullptr, run)

}  // namespace
}  // namespace trimkv::TRIMKV_ISA
