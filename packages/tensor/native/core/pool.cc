#include <chrono>
#include <system_error>

#include "core/thread-pool.h"

namespace trimkv {
namespace {

constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kInside = kOpen - 1;
constexpr auto kSpin = std::chrono::microseconds(20);

uint64_t epoch_of(uint64_t state) { return state >> 32; }

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Polls `done` for about kSpin. False when the time ran out.
template <typename F>
bool spin_until(F done) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  for (;;) {
    for (int i = 0; i < 64; i++) {
      if (done()) return true;
      pause();
    }
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
}

}  // namespace

void pool_run(Pool& pool, int64_t chunks, void (*body)(void*, int64_t), void* context) {
  pool.run(chunks, body, context);
}

Status Pool::create(int threads, std::unique_ptr<Pool>& out) {
  std::unique_ptr<Pool> pool(new Pool());
  try {
    for (int i = 1; i < threads; i++) pool->workers_.emplace_back([p = pool.get()] { p->work(); });
  } catch (const std::system_error&) {
    return error(Code::kOutOfMemory, "the system refused thread %d of %d", static_cast<int>(pool->workers_.size()) + 2,
                 threads);
  }
  out = std::move(pool);
  return {};
}

Pool::~Pool() {
  stopping_.store(true);
  {
    std::lock_guard lock(mutex_);
    job_opened_.notify_all();
  }
  for (auto& worker : workers_) worker.join();
}

void Pool::run(int64_t chunks, void (*body)(void*, int64_t), void* context) {
  if (workers_.empty() || chunks == 1) {
    for (int64_t i = 0; i < chunks; i++) body(context, i);
    return;
  }
  body_ = body;
  context_ = context;
  chunks_ = chunks;
  next_.store(0, std::memory_order_relaxed);
  const uint64_t epoch = epoch_of(state_.load(std::memory_order_relaxed)) + 1;
  state_.store(epoch << 32 | kOpen);
  wake(chunks - 1);
  drain();
  state_.fetch_and(~kOpen);
  wait_for_workers();
}

// Takes several chunks at a time, ever fewer towards the end: neighbours stay together, and threads seldom meet.
void Pool::drain() {
  const auto shares = static_cast<int64_t>(4 * (workers_.size() + 1));
  for (;;) {
    const int64_t left = chunks_ - next_.load(std::memory_order_relaxed);
    if (left <= 0) return;
    const int64_t wanted = left < shares ? 1 : left / shares;
    const int64_t first = next_.fetch_add(wanted, std::memory_order_relaxed);
    const int64_t last = first + wanted < chunks_ ? first + wanted : chunks_;
    for (int64_t chunk = first; chunk < last; chunk++) body_(context_, chunk);
  }
}

// Sequentially consistent against next_state(): either the sleeper sees the new epoch or we see the sleeper.
void Pool::wake(int64_t wanted) {
  const int asleep = sleepers_.load();
  if (asleep == 0) return;
  std::lock_guard lock(mutex_);
  if (wanted >= asleep) {
    job_opened_.notify_all();
  } else {
    for (int64_t i = 0; i < wanted; i++) job_opened_.notify_one();
  }
}

void Pool::wait_for_workers() {
  const auto empty = [this] { return (state_.load(std::memory_order_acquire) & kInside) == 0; };
  if (spin_until(empty)) return;
  std::unique_lock lock(mutex_);
  workers_left_.wait(lock, empty);
}

void Pool::work() {
  uint64_t epoch = 0;
  while (!stopping_.load()) {
    epoch = epoch_of(next_state(epoch));
    if (!join(epoch)) continue;
    drain();
    leave();
  }
}

uint64_t Pool::next_state(uint64_t seen_epoch) {
  const auto changed = [&] { return epoch_of(state_.load()) != seen_epoch || stopping_.load(); };
  if (!spin_until(changed)) {
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1);
    job_opened_.wait(lock, changed);
    sleepers_.fetch_sub(1);
  }
  return state_.load();
}

bool Pool::join(uint64_t epoch) {
  uint64_t state = state_.load();
  while (epoch_of(state) == epoch && (state & kOpen) != 0) {
    if (state_.compare_exchange_weak(state, state + 1)) return true;
  }
  return false;
}

void Pool::leave() {
  const uint64_t left = state_.fetch_sub(1) - 1;
  if ((left & (kOpen | kInside)) != 0) return;
  std::lock_guard lock(mutex_);
  workers_left_.notify_one();
}

}  // namespace trimkv
