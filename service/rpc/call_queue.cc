#include "service/rpc/call_queue.h"

#include <grpc/support/time.h>

#include <chrono>
#include <utility>

#include "service/base/burst.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace pcap_gateway {
namespace {

constexpr int64_t kTickMilliseconds = 1000;

gpr_timespec NextTick() {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_millis(kTickMilliseconds, GPR_TIMESPAN));
}

}  // namespace

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, const StreamLimits& limits)
    : queue_(std::move(queue)),
      peers_(limits.most, absl::ToChronoNanoseconds(limits.longest_wait)),
      readers_(/*most=*/0, absl::ToChronoNanoseconds(limits.longest_read)) {}

CallQueue::~CallQueue() {
  if (thread_.joinable()) {
    // Events come in order: when this one does, all calls that gRPC had for us have begun.
    stop_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &stopped_);
    thread_.join();
  } else {
    queue_->Shutdown();
    Run();
  }
}

void CallQueue::Serve() {
  thread_ = StartThread([this] { Run(); });
}

void CallQueue::Run() {
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) static_cast<Event*>(tag)->Happen(ok);
}

// A queue that was shut down takes no operation any more (gRPC aborts), so the last call has to end
// first.
void CallQueue::Stop(bool) {
  stopping_ = true;
  if (calls() == 0) ShutDown();
}

void CallQueue::CallBegins() {
  calls_.store(calls() + 1, std::memory_order_relaxed);
  if (std::exchange(ticking_, true)) return;
  tick_alarm_.Set(queue_.get(), NextTick(), &ticked_);
}

void CallQueue::CallEnds() {
  calls_.store(calls() - 1, std::memory_order_relaxed);
  if (calls() == 0 && stopping_) ShutDown();
}

void CallQueue::ShutDown() {
  tick_alarm_.Cancel();
  queue_->Shutdown();
}

void CallQueue::Tick(bool ok) {
  ticking_ = false;
  if (!ok || calls() == 0) return;
  const auto now = std::chrono::steady_clock::now();
  peers_.GiveUpLate(now);
  readers_.GiveUpLate(now);
  if (tick_) tick_();
  ticking_ = true;
  tick_alarm_.Set(queue_.get(), NextTick(), &ticked_);
}

void CallQueue::Post(Task task) {
  bool first;
  {
    const Lock lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  if (!first) return;
  // The queue outlives the burst: the call that waits for the task keeps it.
  Burst::AtEnd([this] { wakeup_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &woken_); });
}

void CallQueue::AskForSign(std::function<void()> answer) {
  sign_ = std::move(answer);
  sign_alarm_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &sign_asked_);
}

void CallQueue::GiveSign(bool) {
  // The next question may come as soon as this one is answered.
  const std::function<void()> answer = std::move(sign_);
  answer();
}

void CallQueue::RunPosted(bool) {
  {
    const Lock lock(mutex_);
    running_.swap(posted_);
  }
  for (Task& task : running_) std::move(task)();
  running_.clear();
}

}  // namespace pcap_gateway
