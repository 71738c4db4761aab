// Built with ThreadSanitizer: the pool's jobs, its sleeping and waking, and the lock that takes turns.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/check.test.h"
#include "core/thread-pool.h"
#include "core/turn-lock.h"

using namespace trimkv;

// Every chunk is taken once, and what chunks write is visible to the submitter without further ado.
static void every_chunk_once(int threads) {
  std::unique_ptr<Pool> pool;
  CHECK(Pool::create(threads, pool).ok());
  std::vector<int64_t> seen;
  for (int round = 0; round < 2000; round++) {
    const int64_t chunks = round % 7 == 0 ? 257 : round % 5;
    seen.assign(static_cast<size_t>(chunks), 0);
    auto body = [&](int64_t chunk) { seen[static_cast<size_t>(chunk)] += chunk + round; };
    parallel_for(*pool, chunks, body);
    for (int64_t i = 0; i < chunks; i++) CHECK(seen[static_cast<size_t>(i)] == i + round);
    // Long enough for the workers to fall asleep now and then.
    if (round % 100 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
}

// The submitter may change from job to job as long as there is one at a time.
static void submitters_take_turns() {
  std::unique_ptr<Pool> pool;
  CHECK(Pool::create(3, pool).ok());
  TurnLock turn;
  int64_t total = 0;
  auto submit = [&] {
    for (int round = 0; round < 500; round++) {
      std::lock_guard guard(turn);
      std::atomic<int64_t> sum{0};
      auto body = [&](int64_t chunk) { sum += chunk; };
      parallel_for(*pool, 20, body);
      total += sum;
    }
  };
  std::thread other(submit);
  submit();
  other.join();
  CHECK(total == 1000 * 190);
}

// Whoever asks first is served first, however often the holder asks again.
static void turns_are_fair() {
  TurnLock turn;
  std::atomic<bool> served{false};
  turn.lock();
  std::thread waiter([&] {
    std::lock_guard guard(turn);
    served = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  turn.unlock();
  turn.lock();
  CHECK(served);
  turn.unlock();
  waiter.join();
}

int main() {
  for (int threads : {1, 2, 3, 7}) every_chunk_once(threads);
  submitters_take_turns();
  turns_are_fair();
  for (int i = 0; i < 200; i++) {
    std::unique_ptr<Pool> pool;
    CHECK(Pool::create(4, pool).ok());
  }
  return 0;
}
