#include "core/commands.h"

#include <algorithm>

namespace trimkv {
namespace {

bool is_written(Use use) { return use == Use::kInout || use == Use::kOptionalInout || use == Use::kOutput; }
bool is_optional(Use use) { return use == Use::kOptional || use == Use::kOptionalInout; }

// What a command writes must be writable, with one address per element, and apart from everything else it touches.
// Only tensors that are read and written in place may also be passed as another input, as exactly the same window.
Status check_written(const OpEntry& op, const std::vector<Use>& uses, const View* tensors, size_t written) {
  const View& target = tensors[written];
  const int at = static_cast<int>(written);
  TRIMKV_REQUIRE(target.writable, kHandle, "[%s] tensor %d is read-only and would be written", op.name, at);
  TRIMKV_REQUIRE(injective(target), kShape, "[%s] tensor %d would be written and overlaps itself", op.name, at);
  for (size_t i = 0; i < uses.size(); i++) {
    if (i == written || !tensors[i].present || !overlaps(target, tensors[i])) continue;
    const bool in_place = uses[written] != Use::kOutput && uses[i] != Use::kOutput && identical(target, tensors[i]);
    TRIMKV_REQUIRE(in_place, kHandle, "[%s] tensor %d would be written and overlaps tensor %d", op.name, at,
                   static_cast<int>(i));
  }
  return {};
}

class Decoder {
 public:
  Decoder(const CommandBuffer& buffer, const OpTable& ops, const HandleTable& handles, CommandList& list)
      : buffer_(buffer), ops_(ops), handles_(handles), list_(list) {}

  Status run() {
    while (word_ < buffer_.word_count) {
      if (Status status = command(); !status.ok()) return status;
    }
    TRIMKV_REQUIRE(scalar_ == buffer_.scalar_count, kInvariant, "the command buffer has %lld scalars too many",
                   static_cast<long long>(buffer_.scalar_count - scalar_));
    return {};
  }

 private:
  Status command() {
    TRIMKV_REQUIRE(buffer_.word_count - word_ >= 3, kInvariant, "the command buffer ends within a command");
    const int32_t opcode = buffer_.words[word_];
    const int32_t tensors = buffer_.words[word_ + 1], scalars = buffer_.words[word_ + 2];
    word_ += 3;
    const OpEntry* op = nullptr;
    if (opcode != kCallbackOpcode) {
      if (Status status = find_op(opcode, op); !status.ok()) return status;
    }
    const int32_t wanted_tensors = op != nullptr ? op->tensor_count : 0;
    const int32_t wanted_scalars = op != nullptr ? op->scalar_count : 1;
    TRIMKV_REQUIRE(tensors == wanted_tensors && scalars == wanted_scalars, kInvariant,
                   "[%s] takes %d tensors and %d scalars, got %d and %d", op != nullptr ? op->name : "call",
                   wanted_tensors, wanted_scalars, tensors, scalars);
    TRIMKV_REQUIRE(buffer_.word_count - word_ >= tensors && buffer_.scalar_count - scalar_ >= scalars, kInvariant,
                   "the command buffer ends within a command");
    const Command command{op, tensors, scalars, list_.tensors.size(), list_.scalars.size()};
    list_.commands.push_back(command);
    list_.scalars.insert(list_.scalars.end(), buffer_.scalars + scalar_, buffer_.scalars + scalar_ + scalars);
    scalar_ += scalars;
    if (op != nullptr) return operands(opcode, command);
    const double index = list_.scalars.back();
    TRIMKV_REQUIRE(index >= 0 && index <= INT32_MAX, kInvariant, "there is no callback %g", index);
    return {};
  }

  Status find_op(int32_t opcode, const OpEntry*& op) const {
    TRIMKV_REQUIRE(opcode >= 0 && opcode < ops_.size(), kInvariant, "no op has the opcode %d", opcode);
    op = ops_.entry(opcode);
    TRIMKV_REQUIRE(op != nullptr && static_cast<int32_t>(ops_.uses(opcode).size()) == op->tensor_count, kUnsupported,
                   "the op with the opcode %d has no kernel", opcode);
    return {};
  }

  Status operands(int32_t opcode, const Command& command) {
    const OpEntry& op = *command.op;
    const std::vector<Use>& uses = ops_.uses(opcode);
    for (size_t i = 0; i < uses.size(); i++) {
      const Handle handle = static_cast<Handle>(buffer_.words[word_++]);
      const HandleTable::Entry* entry = handles_.find_tensor(handle);
      TRIMKV_REQUIRE(entry != nullptr || (handle == 0 && is_optional(uses[i])), kHandle,
                     "[%s] tensor %d (handle %u) does not exist", op.name, static_cast<int>(i), handle);
      list_.tensors.push_back(entry != nullptr ? entry->view : View{});
      if (entry != nullptr) list_.storages.push_back(entry->storage);
    }
    const View* tensors = list_.tensors.data() + command.first_tensor;
    for (size_t i = 0; i < uses.size(); i++) {
      if (!is_written(uses[i]) || !tensors[i].present) continue;
      if (Status status = check_written(op, uses, tensors, i); !status.ok()) return status;
    }
    const Call call = list_.call(command, nullptr, nullptr);
    if (Status status = op.check(call); !status.ok()) return status;
    if (op.workspace == nullptr) return {};
    const int64_t bytes = op.workspace(call);
    TRIMKV_REQUIRE(bytes >= 0, kInvariant, "[%s] the workspace is too large to count", op.name);
    list_.workspace_bytes = std::max(list_.workspace_bytes, bytes);
    return {};
  }

  const CommandBuffer& buffer_;
  const OpTable& ops_;
  const HandleTable& handles_;
  CommandList& list_;
  int64_t word_ = 0;
  int64_t scalar_ = 0;
};

}  // namespace

Call CommandList::call(const Command& command, Pool* pool, char* workspace) const {
  return {tensors.data() + command.first_tensor, command.tensor_count, scalars.data() + command.first_scalar,
          command.scalar_count, pool, workspace};
}

void CommandList::clear() {
  commands.clear();
  tensors.clear();
  scalars.clear();
  storages.clear();
  workspace_bytes = 0;
}

Status decode(const CommandBuffer& buffer, const OpTable& ops, const HandleTable& handles, CommandList& list) {
  return Decoder(buffer, ops, handles, list).run();
}

}  // namespace trimkv
