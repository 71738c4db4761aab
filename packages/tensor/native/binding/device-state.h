#pragma once
#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "core/device.h"
#include "core/engine.h"

namespace trimkv {

class Addon;

// One device of one environment: the device itself and what JavaScript holds of it.
// Everything but the engine's events happens on the JavaScript thread.
class DeviceState final : private EngineEvents {
 public:
  DeviceState(Addon& addon, uint32_t id) : addon_(addon), id_(id) {}
  ~DeviceState();

  // Created by the addon before anybody sees the state.
  std::unique_ptr<Device> device;

  // Tells V8 about eager tensors in steps, so that it collects them under pressure.
  void report_memory(Napi::Env env);

  uint32_t add_program(ProgramPtr program);
  Status program(uint32_t id, ProgramPtr& out) const;
  void remove_program(uint32_t id) { programs_.erase(id); }

  // Queues a run; `on_call(index)` returns whether it worked, `on_done(error | undefined)` comes last.
  Status run(const ProgramPtr& program, Napi::Function on_call, Napi::Function on_done, uint32_t& id);
  void abort(uint32_t run);

  // Whether the device can go at once. If not, it is closed now and goes with its last run.
  bool close();
  bool closed() const { return closed_; }

 private:
  struct Client {
    Napi::FunctionReference on_call, on_done;
  };
  struct Message {
    uint32_t run;
    int32_t callback;  // −1 when the run has finished
    Status status;
  };
  static void on_message(Napi::Env env, Napi::Function, DeviceState* state, Message* message);
  using Channel = Napi::TypedThreadSafeFunction<DeviceState, Message, on_message>;

  void callback_due(uint32_t run, int32_t index) override;
  void finished(uint32_t run, const Status& status) override;
  void post(const Message& message);
  void call_back(Napi::Env env, const Message& message);
  void finish(Napi::Env env, const Message& message);
  Status open_engine(Napi::Env env);
  static void stop_engine(void* data);

  Addon& addon_;
  uint32_t id_;
  bool closed_ = false;
  bool environment_ended_ = false;
  int64_t reported_bytes_ = 0;
  uint32_t last_program_ = 0;
  uint32_t last_run_ = 0;
  std::unordered_map<uint32_t, ProgramPtr> programs_;
  std::unordered_map<uint32_t, Client> clients_;
  Channel channel_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace trimkv
