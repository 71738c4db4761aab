#include "binding/device-state.h"

#include <utility>

#include "binding/addon.h"

namespace trimkv {
namespace {

constexpr int64_t kReportStep = int64_t{1} << 20;

}  // namespace

DeviceState::~DeviceState() {
  if (!engine_ || environment_ended_) return;
  napi_remove_env_cleanup_hook(addon_.env(), stop_engine, this);
  engine_->stop();
  channel_.Release();
}

void DeviceState::report_memory(Napi::Env env) {
  const int64_t change = device->usage()->collectable_bytes.load() - reported_bytes_;
  if (change < kReportStep && change > -kReportStep) return;
  int64_t total = 0;
  if (napi_adjust_external_memory(env, change, &total) == napi_ok) reported_bytes_ += change;
}

uint32_t DeviceState::add_program(ProgramPtr program) {
  programs_.emplace(++last_program_, std::move(program));
  return last_program_;
}

Status DeviceState::program(uint32_t id, ProgramPtr& out) const {
  const auto at = programs_.find(id);
  TRIMKV_REQUIRE(at != programs_.end(), kHandle, "the program does not exist or was disposed");
  out = at->second;
  return {};
}

Status DeviceState::run(const ProgramPtr& program, Napi::Function on_call, Napi::Function on_done, uint32_t& id) {
  if (Status s = open_engine(on_done.Env()); !s.ok()) return s;
  id = ++last_run_;
  clients_.emplace(id, Client{Napi::Persistent(on_call), Napi::Persistent(on_done)});
  // The process may not end while a run is under way.
  if (clients_.size() == 1) channel_.Ref(on_done.Env());
  engine_->enqueue(id, program);
  return {};
}

void DeviceState::abort(uint32_t run) {
  if (engine_) engine_->abort(run);
}

bool DeviceState::close() {
  closed_ = true;
  return clients_.empty();
}

// The hook is added after the channel was made: hooks run last in, first out, so the thread that uses the channel is
// joined before the channel goes.
Status DeviceState::open_engine(Napi::Env env) {
  if (engine_) return {};
  EngineEvents& events = *this;
  auto engine = std::make_unique<Engine>(*device, events);
  if (Status s = engine->start(); !s.ok()) return s;
  channel_ = Channel::New(env, "trimkv", 0, 1, this);
  channel_.Unref(env);
  napi_add_env_cleanup_hook(env, stop_engine, this);
  engine_ = std::move(engine);
  return {};
}

// From here on the channel belongs to the environment, which has begun to take it down.
void DeviceState::stop_engine(void* data) {
  auto* state = static_cast<DeviceState*>(data);
  state->engine_->stop();
  state->environment_ended_ = true;
}

void DeviceState::callback_due(uint32_t run, int32_t index) { post({run, index, {}}); }

void DeviceState::finished(uint32_t run, const Status& status) { post({run, -1, status}); }

void DeviceState::post(const Message& message) {
  auto copy = std::make_unique<Message>(message);
  if (channel_.NonBlockingCall(copy.get()) == napi_ok) copy.release();
}

void DeviceState::on_message(Napi::Env env, Napi::Function, DeviceState* state, Message* message) {
  const std::unique_ptr<Message> owned(message);
  if (env == nullptr) return;  // shutting down: nobody listens any more
  if (message->callback >= 0) {
    state->call_back(env, *message);
  } else {
    state->finish(env, *message);
  }
}

// Plain calls from here on: JavaScript handles its own exceptions, and what is left is a worker being terminated,
// where the wrappers would end the process.
void DeviceState::call_back(Napi::Env env, const Message& message) {
  napi_value argument = Napi::Number::New(env, message.callback), result = nullptr;
  const napi_value function = clients_.at(message.run).on_call.Value();
  bool worked = false;
  if (napi_call_function(env, env.Undefined(), function, 1, &argument, &result) == napi_ok) {
    napi_get_value_bool(env, result, &worked);
  } else {
    napi_get_and_clear_last_exception(env, &result);
  }
  engine_->callback_done(worked);
}

void DeviceState::finish(Napi::Env env, const Message& message) {
  Client client = std::move(clients_.at(message.run));
  clients_.erase(message.run);
  if (clients_.empty()) channel_.Unref(env);
  napi_value argument = message.status.ok() ? env.Undefined() : addon_.error_of(message.status);
  if (closed_ && clients_.empty()) addon_.drop_device(id_);  // `this` is gone
  if (argument != nullptr) napi_call_function(env, env.Undefined(), client.on_done.Value(), 1, &argument, nullptr);
}

}  // namespace trimkv
