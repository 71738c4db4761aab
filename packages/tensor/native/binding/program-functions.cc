#include "binding/addon.h"
#include "binding/args.h"

namespace trimkv {
namespace {

// programCreate(device, words, scalars) → id
Status program_create(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  CommandBuffer buffer{};
  if (Status s = addon.device(info, state); !s.ok()) return s;
  if (Status s = arg_commands(info, 1, buffer); !s.ok()) return s;
  auto program = std::make_shared<CommandList>();
  if (Status s = state->device->prepare(buffer, *program); !s.ok()) return s;
  result = Napi::Number::New(addon.env(), state->add_program(std::move(program)));
  return {};
}

Status find_program(Addon& addon, const Napi::CallbackInfo& info, DeviceState*& state, ProgramPtr& program) {
  if (Status s = addon.device(info, state); !s.ok()) return s;
  return state->program(arg_u32(info, 1), program);
}

// programRun(device, program, onCall, onDone) → id of the run
Status program_run(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  ProgramPtr program;
  uint32_t run = 0;
  if (Status s = find_program(addon, info, state, program); !s.ok()) return s;
  TRIMKV_REQUIRE(info[2].IsFunction() && info[3].IsFunction(), kInvariant, "programRun takes two functions");
  if (Status s = state->run(program, info[2].As<Napi::Function>(), info[3].As<Napi::Function>(), run); !s.ok()) return s;
  result = Napi::Number::New(addon.env(), run);
  return {};
}

// programAbort(device, run): may come after the run has finished
Status program_abort(Addon& addon, const Napi::CallbackInfo& info, Napi::Value&) {
  if (DeviceState* state = addon.find_device(arg_u32(info, 0))) state->abort(arg_u32(info, 1));
  return {};
}

Status call_back(Napi::Env env, napi_value function, double index) {
  napi_value argument = Napi::Number::New(env, index), result = nullptr;
  bool worked = false;
  if (napi_call_function(env, env.Undefined(), function, 1, &argument, &result) == napi_ok) {
    napi_get_value_bool(env, result, &worked);
  }
  TRIMKV_REQUIRE(worked, kCallback, "the callback failed");
  return {};
}

// programRunSync(device, program, onCall): on this thread
Status program_run_sync(Addon& addon, const Napi::CallbackInfo& info, Napi::Value&) {
  DeviceState* state = nullptr;
  ProgramPtr program;
  if (Status s = find_program(addon, info, state, program); !s.ok()) return s;
  TRIMKV_REQUIRE(info[2].IsFunction(), kInvariant, "programRunSync takes a function");
  for (const Command& command : program->commands) {
    // A callback may have disposed the device.
    if (Status s = addon.device(info, state); !s.ok()) return s;
    const Napi::HandleScope scope(addon.env());
    const Status status = command.op != nullptr
                              ? state->device->execute(*program, command)
                              : call_back(addon.env(), info[2], program->scalars[command.first_scalar]);
    if (!status.ok()) return status;
  }
  return {};
}

// programDispose(device, program): runs under way keep what they need
Status program_dispose(Addon& addon, const Napi::CallbackInfo& info, Napi::Value&) {
  if (DeviceState* state = addon.find_device(arg_u32(info, 0))) state->remove_program(arg_u32(info, 1));
  return {};
}

// deviceDispose(device): at once, or with its last run
Status device_dispose(Addon& addon, const Napi::CallbackInfo& info, Napi::Value&) {
  const uint32_t id = arg_u32(info, 0);
  DeviceState* state = addon.find_device(id);
  if (state != nullptr && state->close()) addon.drop_device(id);
  return {};
}

}  // namespace

void define_program_functions(Napi::Object exports, Addon& addon) {
  define<program_create>(exports, "programCreate", addon);
  define<program_run>(exports, "programRun", addon);
  define<program_run_sync>(exports, "programRunSync", addon);
  define<program_abort>(exports, "programAbort", addon);
  define<program_dispose>(exports, "programDispose", addon);
  define<device_dispose>(exports, "deviceDispose", addon);
}

}  // namespace trimkv
