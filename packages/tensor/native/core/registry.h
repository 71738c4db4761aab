#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/op.h"

namespace trimkv {

// How a command uses each of its tensors: the TypeScript `slots`, then the outputs. Order is the wire format.
enum class Use : uint8_t { kIn = 0, kOptional = 1, kInout = 2, kOptionalInout = 3, kOutput = 4 };

// Names of all registered ops, sorted: an op's index is its opcode.
std::vector<std::string_view> op_names();

// The ops of one instruction set by opcode, with what the command decoder has to know about their tensors.
class OpTable {
 public:
  explicit OpTable(Isa isa);

  int32_t size() const { return static_cast<int32_t>(entries_.size()); }
  // Null when the instruction set lacks the op.
  const OpEntry* entry(int32_t opcode) const { return entries_[static_cast<size_t>(opcode)]; }
  // Empty until declared; an op without uses cannot be called.
  const std::vector<Use>& uses(int32_t opcode) const { return uses_[static_cast<size_t>(opcode)]; }
  Status declare(int32_t opcode, std::vector<Use> uses);

 private:
  std::vector<const OpEntry*> entries_;
  std::vector<std::vector<Use>> uses_;
};

}  // namespace trimkv
