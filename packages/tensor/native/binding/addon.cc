#include "binding/addon.h"

#include <string>
#include <utility>

#include "binding/args.h"
#include "core/isa.h"
#include "core/pages.h"

namespace trimkv {
namespace {

// Raised with every change of the interface between this file and src/native.ts.
constexpr int kInterfaceVersion = 2;
constexpr int kMaxThreads = 1024;

// setup(errorFactory, uses: Int32Array): for each opcode in order its number of tensors, then how each is used
Status setup(Addon& addon, const Napi::CallbackInfo& info, Napi::Value&) {
  addon.set_error_factory(info[0].As<Napi::Function>());
  const int32_t* words = nullptr;
  int64_t length = 0;
  if (Status s = arg_array(info, 1, napi_int32_array, words, length); !s.ok()) return s;
  int32_t opcode = 0;
  for (int64_t at = 0; at < length; opcode++) {
    const int64_t count = words[at++];
    TRIMKV_REQUIRE(count >= 0 && count <= length - at, kInvariant, "the op declarations are cut off");
    std::vector<Use> uses;
    for (int64_t i = 0; i < count; i++) uses.push_back(static_cast<Use>(words[at++]));
    addon.declare_uses(opcode, std::move(uses));
  }
  return {};
}

// deviceCreate(isa: 0 | 1 | 2, threads) → id
Status device_create(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  const uint32_t isa = arg_u32(info, 0), threads = arg_u32(info, 1);
  TRIMKV_REQUIRE(isa <= static_cast<uint32_t>(Isa::kAvx512), kOption, "no instruction set has the number %u", isa);
  TRIMKV_REQUIRE(threads >= 1 && threads <= kMaxThreads, kOption, "threads must be 1…%d, got %u", kMaxThreads, threads);
  uint32_t id = 0;
  if (Status s = addon.create_device(static_cast<Isa>(isa), static_cast<int>(threads), id); !s.ok()) return s;
  result = Napi::Number::New(addon.env(), id);
  return {};
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* addon = new Addon(env);
  env.SetInstanceData(addon);
  exports.Set("interfaceVersion", kInterfaceVersion);
  auto names = Napi::Array::New(env);
  for (const auto name : op_names()) names.Set(names.Length(), Napi::String::New(env, std::string(name)));
  exports.Set("opNames", names);
  auto isas = Napi::Array::New(env);
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (isa_supported(isa)) isas.Set(isas.Length(), static_cast<int>(isa));
  }
  exports.Set("isas", isas);
  exports.Set("pageBytes", static_cast<double>(page_bytes()));
  define<setup>(exports, "setup", *addon);
  define<device_create>(exports, "deviceCreate", *addon);
  define_tensor_functions(exports, *addon);
  define_program_functions(exports, *addon);
  return exports;
}

}  // namespace

Napi::Value Addon::error_of(const Status& status) const {
  napi_value arguments[] = {Napi::Number::New(env_, static_cast<int>(status.code)), Napi::String::New(env_, status.text)};
  napi_value result = nullptr;
  // The plain call: while a worker is being terminated nothing can run, and the wrapper would end the process.
  const napi_status called = napi_call_function(env_, env_.Undefined(), error_factory_.Value(), 2, arguments, &result);
  return called == napi_ok ? Napi::Value(env_, result) : Napi::Value();
}

void Addon::throw_error(const Status& status) const {
  const Napi::Value value = error_of(status);
  if (!value.IsEmpty()) napi_throw(env_, value);
}

void Addon::declare_uses(int32_t opcode, std::vector<Use> uses) {
  uses_.resize(static_cast<size_t>(opcode) + 1);
  uses_.back() = std::move(uses);
}

Status Addon::create_device(Isa isa, int threads, uint32_t& id) {
  const auto next = static_cast<uint32_t>(devices_.size() + 1);
  auto state = std::make_unique<DeviceState>(*this, next);
  if (Status s = Device::create(isa, threads, state->device); !s.ok()) return s;
  OpTable& ops = state->device->ops();
  for (size_t opcode = 0; opcode < uses_.size(); opcode++) {
    if (uses_[opcode].empty()) continue;
    if (Status s = ops.declare(static_cast<int32_t>(opcode), uses_[opcode]); !s.ok()) return s;
  }
  devices_.push_back(std::move(state));
  id = next;
  return {};
}

DeviceState* Addon::find_device(uint32_t id) const {
  return id >= 1 && id <= devices_.size() ? devices_[id - 1].get() : nullptr;
}

Status Addon::device(const Napi::CallbackInfo& info, DeviceState*& out) const {
  out = find_device(arg_u32(info, 0));
  TRIMKV_REQUIRE(out != nullptr && !out->closed(), kHandle, "the device does not exist or was disposed");
  return {};
}

}  // namespace trimkv

static Napi::Object trimkv_init(Napi::Env env, Napi::Object exports) { return trimkv::init(env, exports); }
NODE_API_MODULE(trimkv, trimkv_init)
