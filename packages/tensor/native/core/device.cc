#include "core/device.h"

#include <mutex>

namespace trimkv {

Status Device::create(Isa isa, int threads, std::unique_ptr<Device>& out) {
  TRIMKV_REQUIRE(isa_supported(isa), kUnsupported, "this processor lacks the instruction set");
  std::unique_ptr<Device> device(new Device(isa));
  if (Status status = Pool::create(threads, device->pool_); !status.ok()) return status;
  out = std::move(device);
  return {};
}

Status Device::submit(const CommandBuffer& buffer) {
  eager_.clear();
  Status status = prepare(buffer, eager_);
  for (size_t i = 0; status.ok() && i < eager_.commands.size(); i++) {
    const Command& command = eager_.commands[i];
    status = command.op != nullptr ? execute(eager_, command) : error(Code::kInvariant, "a callback outside a program");
  }
  eager_.clear();
  return status;
}

Status Device::prepare(const CommandBuffer& buffer, CommandList& out) {
  if (Status status = decode(buffer, ops_, handles_, out); !status.ok()) return status;
  return ensure_workspace(out.workspace_bytes);
}

Status Device::execute(const CommandList& list, const Command& command) {
  std::lock_guard guard(turn_);
  return command.op->run(list.call(command, pool_.get(), workspace_ ? workspace_->data() : nullptr));
}

// Only one op runs at a time, so all programs share one workspace. It is not counted in `usage`.
Status Device::ensure_workspace(int64_t bytes) {
  if (bytes == 0 || (workspace_ && workspace_->bytes() >= bytes)) return {};
  std::lock_guard guard(turn_);
  return Storage::heap(bytes, false, nullptr, workspace_);
}

}  // namespace trimkv
