#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace trimkv {

// A mutex that is granted in the order of the requests: between two ops of a long program an eager op gets its turn.
class TurnLock {
 public:
  void lock() {
    std::unique_lock guard(mutex_);
    const uint64_t turn = next_++;
    changed_.wait(guard, [&] { return serving_ == turn; });
  }
  void unlock() {
    std::lock_guard guard(mutex_);
    serving_++;
    if (serving_ != next_) changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_ = 0;
  uint64_t serving_ = 0;
};

}  // namespace trimkv
