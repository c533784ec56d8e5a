#include "service/rpc/call_queue.h"

#include <grpc/support/time.h>

#include <utility>

#include "service/source/burst.h"
#include "service/source/thread.h"

namespace pcap_gateway {

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : queue_(std::move(queue)) {}

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
  if (calls_ == 0) queue_->Shutdown();
}

void CallQueue::CallEnds() {
  if (--calls_ == 0 && stopping_) queue_->Shutdown();
}

void CallQueue::Deliver(ReplyReceiver& receiver, Reply reply) {
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = delivered_.empty();
    delivered_.emplace_back(&receiver, std::move(reply));
  }
  if (!first) return;
  // The queue outlives the burst: the call that waits for this reply keeps it.
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

void CallQueue::ReceiveAll(bool) {
  {
    const std::lock_guard lock(mutex_);
    receiving_.swap(delivered_);
  }
  for (auto& [receiver, reply] : receiving_) receiver->Receive(std::move(reply));
  receiving_.clear();
}

}  // namespace pcap_gateway
