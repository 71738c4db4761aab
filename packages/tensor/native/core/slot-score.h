#pragma once
#include <cstdint>

// How a stored slot is rated; larger is kept. The same bits on every device: the age in integers, then one f32 multiply
// and one f32 add. Never fuse them (kernels are built with -ffp-contract=off). Twin of src/slot-score.ts.
namespace trimkv::TRIMKV_ISA {

enum class ScoreKind : int32_t { kRecency = 0, kDecay = 1, kColumn = 2 };

struct SlotScore {
  ScoreKind kind;
  int64_t age_offset;  // age of the newest token, for kDecay

  bool needs_column() const { return kind != ScoreKind::kRecency; }
};

// From two scalars; false when they name no score.
static inline bool read_score(const double* scalars, SlotScore& score) {
  const double kind = scalars[0], offset = scalars[1];
  if (!(kind == 0 || kind == 1 || kind == 2)) return false;
  if (!(offset >= -0x1p53 && offset <= 0x1p53)) return false;
  score = {static_cast<ScoreKind>(static_cast<int32_t>(kind)), static_cast<int64_t>(offset)};
  return true;
}

// One slot: its token's index, the tokens seen by its sequence, its entries in the columns (null: not given).
struct RatedSlot {
  int64_t index, seen;
  const float* column_a;
  const float* column_b;
};

static inline float rate_slot(const SlotScore& score, const RatedSlot& slot) {
  if (score.kind == ScoreKind::kRecency) return static_cast<float>(slot.index);
  float value = *slot.column_a;
  if (score.kind == ScoreKind::kDecay) {
    value = static_cast<float>(slot.seen - 1 + score.age_offset - slot.index) * value;
  }
  if (slot.column_b != nullptr) value = value + *slot.column_b;
  return value == value ? value : -__builtin_inff();
}

// Sinks and recent tokens, by index in the text and never by slot.
struct ProtectedRange {
  int64_t first, last;

  bool holds(int64_t index, int64_t seen) const { return index < first || index >= seen - last; }
};

}  // namespace trimkv::TRIMKV_ISA
