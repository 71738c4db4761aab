#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/pool.h"
#include "core/status.h"

namespace trimkv {

// Fork-join pool. One submitter at a time; the submitter works too, so `threads` counts it.
class Pool {
 public:
  static Status create(int threads, std::unique_ptr<Pool>& out);
  ~Pool();

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run(int64_t chunks, void (*body)(void*, int64_t), void* context);

 private:
  Pool() = default;

  void work();
  uint64_t next_state(uint64_t seen_epoch);
  bool join(uint64_t epoch);
  void leave();
  void drain();
  void wake(int64_t wanted);
  void wait_for_workers();

  // Job: written by the submitter while the state is closed and no worker is in it.
  void (*body_)(void*, int64_t) = nullptr;
  void* context_ = nullptr;
  int64_t chunks_ = 0;

  // epoch << 32 | open << 31 | workers inside the job. A worker enters only an open job of the epoch it saw, so one
  // that wakes late neither delays the submitter nor takes chunks of the next job.
  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::condition_variable job_opened_;
  std::condition_variable workers_left_;
  std::vector<std::thread> workers_;
};

}  // namespace trimkv
