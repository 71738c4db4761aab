#include "core/engine.h"

#include <system_error>
#include <utility>

namespace trimkv {

Status Engine::start() {
  if (thread_.joinable()) return {};
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error&) {
    return error(Code::kOutOfMemory, "the system refused the engine thread");
  }
  return {};
}

void Engine::enqueue(uint32_t run, ProgramPtr program) {
  auto entry = std::make_shared<Run>();
  entry->id = run;
  entry->program = std::move(program);
  std::lock_guard guard(mutex_);
  queue_.push_back(std::move(entry));
  changed_.notify_all();
}

void Engine::abort(uint32_t run) {
  std::lock_guard guard(mutex_);
  for (const auto& entry : queue_) {
    if (entry->id == run) entry->aborted = true;
  }
}

void Engine::callback_done(bool ok) {
  std::lock_guard guard(mutex_);
  callback_ = ok ? Callback::kOk : Callback::kFailed;
  changed_.notify_all();
}

void Engine::stop() {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Engine::work() {
  for (;;) {
    std::shared_ptr<Run> run;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      run = queue_.front();
    }
    const Status status = execute(*run);
    {
      std::lock_guard guard(mutex_);
      if (stopping_) return;
      queue_.pop_front();
    }
    const uint32_t id = run->id;
    run.reset();  // before the owner hears of it, so that memory it frees is free
    events_.finished(id, status);
  }
}

Status Engine::execute(Run& run) {
  const CommandList& program = *run.program;
  for (const Command& command : program.commands) {
    TRIMKV_REQUIRE(!run.aborted && !stopping_, kAborted, "the run was aborted");
    const Status status = command.op != nullptr
                              ? device_.execute(program, command)
                              : wait_for_callback(run.id, static_cast<int32_t>(program.scalars[command.first_scalar]));
    if (!status.ok()) return status;
  }
  return {};
}

Status Engine::wait_for_callback(uint32_t run, int32_t index) {
  {
    std::lock_guard guard(mutex_);
    callback_ = Callback::kDue;
  }
  events_.callback_due(run, index);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopping_ || callback_ != Callback::kDue; });
  TRIMKV_REQUIRE(callback_ == Callback::kOk, kCallback, "the callback failed");
  return {};
}

}  // namespace trimkv
