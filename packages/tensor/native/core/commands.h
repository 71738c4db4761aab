#pragma once
#include <cstdint>
#include <vector>

#include "core/handle-table.h"
#include "core/registry.h"
#include "core/status.h"

namespace trimkv {

// What JavaScript wrote: [opcode, tensor count, scalar count, handles…] per op, and all scalars one after another.
struct CommandBuffer {
  const int32_t* words;
  int64_t word_count;
  const double* scalars;
  int64_t scalar_count;
};

// Stands for "run JavaScript here"; its one scalar is the index of the callback.
constexpr int32_t kCallbackOpcode = -1;

struct Command {
  const OpEntry* op;  // null for a callback
  int32_t tensor_count;
  int32_t scalar_count;
  size_t first_tensor;
  size_t first_scalar;
};

// Decoded and validated commands: everything `run` needs, independent of the handle table.
struct CommandList {
  std::vector<Command> commands;
  std::vector<View> tensors;
  std::vector<double> scalars;
  std::vector<Storage::Ptr> storages;
  int64_t workspace_bytes = 0;

  Call call(const Command& command, Pool* pool, char* workspace) const;
  void clear();
};

// Appends the commands of `buffer` to `list`. On failure the list is useless and must be cleared.
Status decode(const CommandBuffer& buffer, const OpTable& ops, const HandleTable& handles, CommandList& list);

}  // namespace trimkv
