// Built with ThreadSanitizer: runs in order, callbacks, aborts and stops, with eager work in between.
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/check.test.h"
#include "core/engine.h"

#define TRIMKV_ISA_ENUM kBaseline

using namespace trimkv;

// data [N] f32 in place: every element + 1
static Status check_count(const Call& c) {
  TRIMKV_REQUIRE(c.tensors[0].rank == 1 && c.tensors[0].dtype == DType::kF32, kShape, "wrong tensor");
  return {};
}
static Status run_count(const Call& c) {
  auto body = [&](int64_t i) { data_of<float>(c.tensors[0])[i] += 1; };
  parallel_for(*c.pool, c.tensors[0].shape[0], body);
  return {};
}
TRIMKV_OP("count", 1, 0, check_count, nullptr, run_count)

namespace {

struct Event {
  uint32_t run;
  int32_t callback;  // −1 when finished
  Code code;
};

// Stands for the JavaScript thread: events wait here until it takes them.
class Inbox final : public EngineEvents {
 public:
  void callback_due(uint32_t run, int32_t index) override { post({run, index, Code::kOk}); }
  void finished(uint32_t run, const Status& status) override { post({run, -1, status.code}); }

  Event take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return !events_.empty(); });
    const Event event = events_.front();
    events_.pop_front();
    return event;
  }

 private:
  void post(Event event) {
    std::lock_guard guard(mutex_);
    events_.push_back(event);
    arrived_.notify_one();
  }
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Event> events_;
};

struct Fixture {
  std::unique_ptr<Device> device;
  Handle handle = 0;
  std::vector<int32_t> op;

  Fixture() {
    CHECK(Device::create(Isa::kBaseline, 3, device).ok());
    CHECK(device->ops().declare(0, {Use::kInout}).ok());
    Layout layout{};
    layout.rank = 1;
    layout.shape[0] = 64;
    CHECK(make_contiguous(layout).ok());
    Storage::Ptr storage;
    CHECK(Storage::heap(256, true, device->usage(), storage).ok());
    CHECK(device->handles().add_tensor(storage, layout, handle).ok());
    op = {0, 1, 0, static_cast<int32_t>(handle)};
  }

  // `ops` counts, then a callback, then `ops` counts.
  ProgramPtr program(int ops) {
    std::vector<int32_t> words;
    for (int i = 0; i < ops; i++) words.insert(words.end(), op.begin(), op.end());
    words.insert(words.end(), {kCallbackOpcode, 0, 1});
    for (int i = 0; i < ops; i++) words.insert(words.end(), op.begin(), op.end());
    const double scalar = 5;
    auto list = std::make_shared<CommandList>();
    CHECK(device->prepare({words.data(), static_cast<int64_t>(words.size()), &scalar, 1}, *list).ok());
    return list;
  }

  Status eager() { return device->submit({op.data(), static_cast<int64_t>(op.size()), nullptr, 0}); }
  float first() { return data_of<float>(device->handles().find_tensor(handle)->view)[0]; }
};

void runs_in_order_with_callbacks() {
  Fixture fixture;
  Inbox inbox;
  Engine engine(*fixture.device, inbox);
  CHECK(engine.start().ok());
  const ProgramPtr program = fixture.program(10);
  for (uint32_t run = 1; run <= 50; run++) engine.enqueue(run, program);
  for (uint32_t run = 1; run <= 50; run++) {
    const Event due = inbox.take();
    CHECK(due.run == run && due.callback == 5);
    CHECK(fixture.eager().ok());
    engine.callback_done(run % 2 == 0);
    const Event done = inbox.take();
    CHECK(done.run == run && done.callback == -1 && done.code == (run % 2 == 0 ? Code::kOk : Code::kCallback));
  }
  CHECK(fixture.first() == 25 * 20 + 25 * 10 + 50);
}

void eager_work_goes_on_beside_a_run() {
  Fixture fixture;
  Inbox inbox;
  Engine engine(*fixture.device, inbox);
  CHECK(engine.start().ok());
  engine.enqueue(1, fixture.program(300));
  for (int i = 0; i < 300; i++) CHECK(fixture.eager().ok());
  CHECK(inbox.take().callback == 5);
  engine.callback_done(true);
  CHECK(inbox.take().code == Code::kOk);
  CHECK(fixture.first() == 900);
}

void aborts_before_the_next_op() {
  Fixture fixture;
  Inbox inbox;
  Engine engine(*fixture.device, inbox);
  CHECK(engine.start().ok());
  for (uint32_t run = 1; run <= 3; run++) engine.enqueue(run, fixture.program(1));
  CHECK(inbox.take().callback == 5);
  engine.abort(1);
  engine.abort(2);
  engine.abort(99);
  engine.callback_done(true);
  CHECK(inbox.take().code == Code::kAborted);
  const Event second = inbox.take();
  CHECK(second.run == 2 && second.code == Code::kAborted);
  CHECK(inbox.take().run == 3);
  engine.callback_done(true);
  CHECK(inbox.take().code == Code::kOk);
  CHECK(fixture.first() == 1 + 2);
}

// At the end of an environment nobody answers: a run in progress, a due callback and runs that wait all end.
void stops_at_any_time() {
  Fixture fixture;
  const ProgramPtr program = fixture.program(20);
  for (int i = 0; i < 100; i++) {
    Inbox inbox;
    Engine engine(*fixture.device, inbox);
    CHECK(engine.start().ok());
    for (uint32_t run = 1; run <= 3; run++) engine.enqueue(run, program);
    if (i % 3 == 0) CHECK(inbox.take().callback == 5);
    if (i % 3 == 1) std::this_thread::sleep_for(std::chrono::microseconds(10 * i));
    engine.stop();
    engine.stop();
  }
}

}  // namespace

int main() {
  runs_in_order_with_callbacks();
  eager_work_goes_on_beside_a_run();
  aborts_before_the_next_op();
  stops_at_any_time();
  return 0;
}
