// CallQueue: a gRPC completion queue, the thread that serves it, and the door through which other
// threads hand it work.
//
// Every call lives on one queue and is touched by that queue's thread alone, so calls need no
// locks. Replies come from the loop's thread; they are collected and fetched in one go, so that a
// burst of them wakes the thread once.
#ifndef PCAP_GATEWAY_SERVICE_RPC_CALL_QUEUE_H_
#define PCAP_GATEWAY_SERVICE_RPC_CALL_QUEUE_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "service/base/mutex.h"
#include "service/rpc/awaited_peers.h"

namespace pcap_gateway {

// What a completion queue gives back: the operation that was started with it is over.
class Event {
 public:
  virtual ~Event() = default;
  // `ok`: as grpc::CompletionQueue::Next says it. On the queue's thread.
  virtual void Happen(bool ok) = 0;
};

// An Event that calls a method of its owner.
template <typename Owner, void (Owner::*kMethod)(bool)>
class MethodEvent final : public Event {
 public:
  explicit MethodEvent(Owner& owner) : owner_(owner) {}
  void Happen(bool ok) override { (owner_.*kMethod)(ok); }

 private:
  Owner& owner_;
};

class CallQueue {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, const StreamLimits& limits);

  // Ends the queue and its thread. The server has been shut down before, so that no new calls come;
  // those under way are awaited.
  ~CallQueue();

  // Starts the thread.
  void Serve();

  // Any thread, while a call is under way that waits for `task` to run: soon, on the queue's
  // thread, and after all that was posted before it.
  void Post(Task task);

  // Any thread. `answer` is called on the queue's thread when its turn comes. Not again before
  // that.
  void AskForSign(std::function<void()> answer);

  grpc::ServerCompletionQueue& queue() { return *queue_; }

  // How calls say that they are under way. On the queue's thread.
  void CallBegins();
  void CallEnds();
  // No further calls are to be asked for. On the queue's thread.
  bool stopping() const { return stopping_; }

  // Those of its calls and streams that wait for their peers. On the queue's thread.
  AwaitedPeers& peers() { return peers_; }
  // Those that are to read a message of a stream of answers, which may take them longer.
  AwaitedPeers& readers() { return readers_; }

  // Called about once a second while calls are under way, on the queue's thread. Before Serve.
  void SetTick(std::function<void()> tick) { tick_ = std::move(tick); }

  // Calls and streams that are under way. Any thread.
  int64_t calls() const { return calls_.load(std::memory_order_relaxed); }

 private:
  void Run();
  void Stop(bool ok);
  void ShutDown();
  void RunPosted(bool ok);
  void GiveSign(bool ok);
  void Tick(bool ok);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
  std::atomic<int64_t> calls_{0};  // under way; the queue's thread alone writes it
  bool stopping_ = false;          // the queue's thread only
  grpc::Alarm stop_;
  MethodEvent<CallQueue, &CallQueue::Stop> stopped_{*this};

  AwaitedPeers peers_;
  AwaitedPeers readers_;
  std::function<void()> tick_;  // may be null
  bool ticking_ = false;        // `tick_alarm_` is set; the queue's thread only
  grpc::Alarm tick_alarm_;
  MethodEvent<CallQueue, &CallQueue::Tick> ticked_{*this};

  std::function<void()> sign_;  // whoever asks, until the alarm; then the queue's thread
  grpc::Alarm sign_alarm_;
  MethodEvent<CallQueue, &CallQueue::GiveSign> sign_asked_{*this};

  Mutex mutex_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  std::vector<Task> running_;  // the queue's thread only; kept for its memory
  // Set when `posted_` gets its first task; so never set again before it has gone off.
  grpc::Alarm wakeup_;
  MethodEvent<CallQueue, &CallQueue::RunPosted> woken_{*this};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CALL_QUEUE_H_
