#pragma once
#include <cstdint>
#include <functional>
#include <memory>

#include "core/commands.h"
#include "core/handle-table.h"
#include "core/isa.h"
#include "core/registry.h"
#include "core/storage.h"
#include "core/thread-pool.h"
#include "core/turn-lock.h"

namespace trimkv {

// A thread pool, the kernels of one instruction set, and the tensors they work on.
// Tensors and programs are made on one thread; `execute` may run on any, one op at a time.
class Device {
 public:
  static Status create(Isa isa, int threads, std::unique_ptr<Device>& out);

  OpTable& ops() { return ops_; }
  HandleTable& handles() { return handles_; }
  const std::shared_ptr<Usage>& usage() const { return usage_; }

  // Decodes and runs commands at once. Callbacks are refused.
  Status submit(const CommandBuffer& buffer);

  // Validates every command and makes room for the workspace of the largest.
  Status prepare(const CommandBuffer& buffer, CommandList& out);

  // Runs one command that is not a callback.
  Status execute(const CommandList& list, const Command& command);

  // Held while tensors are read or written from outside an op.
  TurnLock& turn() { return turn_; }

 private:
  explicit Device(Isa isa) : ops_(isa) {}
  Status ensure_workspace(int64_t bytes);

  OpTable ops_;
  HandleTable handles_;
  std::unique_ptr<Pool> pool_;
  std::shared_ptr<Usage> usage_ = std::make_shared<Usage>();
  TurnLock turn_;
  Storage::Ptr workspace_;
  CommandList eager_;
};

}  // namespace trimkv
