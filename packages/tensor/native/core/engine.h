#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "core/device.h"

namespace trimkv {

using ProgramPtr = std::shared_ptr<const CommandList>;

// What an engine has to say, always on its own thread.
class EngineEvents {
 public:
  // The run stands still until Engine::callback_done.
  virtual void callback_due(uint32_t run, int32_t index) = 0;
  virtual void finished(uint32_t run, const Status& status) = 0;

 protected:
  ~EngineEvents() = default;
};

// Runs programs one after another on a thread of its own.
class Engine {
 public:
  Engine(Device& device, EngineEvents& events) : device_(device), events_(events) {}
  ~Engine() { stop(); }

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Status start();
  void enqueue(uint32_t run, ProgramPtr program);
  // The run ends before its next op, or before its first one when it still waits for its turn.
  void abort(uint32_t run);
  void callback_done(bool ok);
  // Ends the run in progress without a word, drops those that wait, and joins the thread.
  void stop();

 private:
  enum class Callback { kNone, kDue, kOk, kFailed };
  struct Run {
    uint32_t id;
    ProgramPtr program;
    std::atomic<bool> aborted{false};
  };

  void work();
  Status execute(Run& run);
  Status wait_for_callback(uint32_t run, int32_t index);

  Device& device_;
  EngineEvents& events_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Run>> queue_;  // the run in progress stays at the front
  Callback callback_ = Callback::kNone;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace trimkv
