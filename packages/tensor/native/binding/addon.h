#pragma once
#include <napi.h>

#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "binding/device-state.h"
#include "core/status.h"

namespace trimkv {

// Everything the addon keeps for one JavaScript environment; main thread and workers each have their own.
class Addon {
 public:
  explicit Addon(Napi::Env env) : env_(env) {}

  Napi::Env env() const { return env_; }

  // JavaScript's constructor of errors: (code, text) → Error.
  void set_error_factory(Napi::Function factory) { error_factory_ = Napi::Persistent(factory); }
  // The error for a status; empty while the environment is shutting down.
  Napi::Value error_of(const Status& status) const;
  void throw_error(const Status& status) const;

  void declare_uses(int32_t opcode, std::vector<Use> uses);
  Status create_device(Isa isa, int threads, uint32_t& id);
  // Null when it was never made or is gone. It may be closed: no new work, but runs under way.
  DeviceState* find_device(uint32_t id) const;
  // The open device named by the first argument of every device function.
  Status device(const Napi::CallbackInfo& info, DeviceState*& out) const;
  void drop_device(uint32_t id) { devices_[id - 1].reset(); }

 private:
  Napi::Env env_;
  Napi::FunctionReference error_factory_;
  std::vector<std::vector<Use>> uses_;
  // Index + 1 is the id; ids are not reused.
  std::vector<std::unique_ptr<DeviceState>> devices_;
};

using NativeFunction = Status (*)(Addon&, const Napi::CallbackInfo&, Napi::Value& result);

// Puts a function that returns a status behind Node-API: failures become exceptions, running out of memory too.
template <NativeFunction body>
Napi::Value entry(const Napi::CallbackInfo& info) {
  Addon& addon = *static_cast<Addon*>(info.Data());
  Napi::Value result = info.Env().Undefined();
  Status status;
  try {
    status = body(addon, info, result);
  } catch (const std::bad_alloc&) {
    status = error(Code::kOutOfMemory, "no memory left");
  }
  if (!status.ok()) addon.throw_error(status);
  return result;
}

template <NativeFunction body>
void define(Napi::Object exports, const char* name, Addon& addon) {
  exports.Set(name, Napi::Function::New<entry<body>>(addon.env(), name, &addon));
}

void define_tensor_functions(Napi::Object exports, Addon& addon);
void define_program_functions(Napi::Object exports, Addon& addon);

}  // namespace trimkv
