#include "core/registry.h"

#include <algorithm>
#include <utility>

namespace trimkv {
namespace {

// Plain arrays: filled by static initialisers in any order, and still there while the process exits.
constexpr int kMaxOps = 256;
constexpr int kIsaCount = 3;
constinit OpEntry entries[kIsaCount][kMaxOps] = {};
constinit int counts[kIsaCount] = {};

}  // namespace

bool register_op(Isa isa, const OpEntry& entry) {
  const int i = static_cast<int>(isa);
  if (counts[i] == kMaxOps) return false;
  entries[i][counts[i]++] = entry;
  return true;
}

std::vector<std::string_view> op_names() {
  std::vector<std::string_view> names;
  for (int isa = 0; isa < kIsaCount; isa++) {
    for (int i = 0; i < counts[isa]; i++) names.emplace_back(entries[isa][i].name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

OpTable::OpTable(Isa isa) {
  const auto names = op_names();
  entries_.resize(names.size(), nullptr);
  uses_.resize(names.size());
  const int i = static_cast<int>(isa);
  for (int k = 0; k < counts[i]; k++) {
    const auto at = std::lower_bound(names.begin(), names.end(), std::string_view(entries[i][k].name));
    entries_[static_cast<size_t>(at - names.begin())] = &entries[i][k];
  }
}

Status OpTable::declare(int32_t opcode, std::vector<Use> uses) {
  TRIMKV_REQUIRE(opcode >= 0 && opcode < size(), kInvariant, "no op has the opcode %d", opcode);
  const OpEntry* op = entry(opcode);
  if (op == nullptr) return {};
  TRIMKV_REQUIRE(static_cast<int32_t>(uses.size()) == op->tensor_count, kInvariant,
                 "[%s] the kernel takes %d tensors, its definition names %d", op->name, op->tensor_count,
                 static_cast<int32_t>(uses.size()));
  uses_[static_cast<size_t>(opcode)] = std::move(uses);
  return {};
}

}  // namespace trimkv
