// EventLoop: the Loop. One thread that waits for sockets, for times and for what others post.
//
// libcurl's transfers and hiredis' connection hang on it, so that a call that Redis and Cloudflare
// are asked for changes threads on its way here and on its way back, and nowhere else. Whatever
// runs on it must not wait for anything, as all calls would wait with it.
//
// epoll and an eventfd rather than libuv, which aborts the process where the kernel has no memory
// to watch one more socket; here it is asked again. tests/torture/ lets each call fail in turn.
#ifndef PCAP_GATEWAY_SERVICE_LOOP_EVENT_LOOP_H_
#define PCAP_GATEWAY_SERVICE_LOOP_EVENT_LOOP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/counter.h"
#include "service/base/mutex.h"
#include "service/loop/loop.h"
#include "service/loop/socket_set.h"

namespace pcap_gateway {

class LoopTimer;

// Read by any thread.
struct LoopStats {
  Counter handed_in;  // tasks that other threads posted
  Counter wakes;      // times that they woke the loop for it
};

class EventLoop final : public Loop {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Starts the thread. Fails where the process is out of file descriptors, threads or memory.
  static absl::StatusOr<std::unique_ptr<EventLoop>> Start();

  // Stops, if Stop was not called.
  ~EventLoop() override;

  // Runs all that was posted and all that waits for a later time, with what these post in turn, and
  // joins the thread. Timers do not ring any more. Another thread, once. Tasks may still be posted:
  // they run at once, on the thread that posts them.
  void Stop();

  void Post(Task task) override;
  bool IsCurrent() const override;
  Ticket After(absl::Duration delay, Task task) override;

  // Runs `task` on the loop's thread, and returns when that is over and with it all that the same
  // turn of the loop puts off to its end (Burst). Any other thread.
  void Run(Task task);

  // The loop's thread only.
  SocketSet& sockets() { return *sockets_; }

  const LoopStats& stats() const { return stats_; }

 private:
  friend class LoopTimer;

  EventLoop() = default;
  absl::Status Begin();
  void Turn();
  void End();
  void HandleEvents();
  int MillisecondsToWait() const;
  bool RunInbox();
  void RingTimers(Time now);
  void RunDue(Time now);

  LoopStats stats_;

  Mutex mutex_;
  std::vector<Task> inbox_ ABSL_GUARDED_BY(mutex_);
  bool stop_asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  // From here on: the loop's thread only, once it runs.
  int epoll_ = -1;
  int wakeup_ = -1;
  std::unique_ptr<SocketSet> sockets_;
  std::vector<LoopTimer*> timers_;
  std::multimap<Time, std::pair<uint64_t, Task>> due_;  // numbered for their tickets
  uint64_t next_number_ = 0;
  bool has_posted_ = false;  // to itself
  bool stopping_ = false;
  std::vector<Task> running_;  // kept for its memory

  std::thread thread_;
};

// A time that is set again and again, for which After would be too dear. The loop's thread
// only; may be destroyed once that has ended, too, as the loop outlives it.
class LoopTimer {
 public:
  // `ring` runs once for each time that is set, on the loop's thread. It must not destroy the
  // timer.
  LoopTimer(EventLoop& loop, std::function<void()> ring);
  ~LoopTimer();
  LoopTimer(const LoopTimer&) = delete;
  LoopTimer& operator=(const LoopTimer&) = delete;

  // Rings at this time, and not at one set before. What is past rings in this turn of the loop.
  void Set(EventLoop::Time at) { at_ = at; }
  void Clear() { at_.reset(); }
  bool is_set() const { return at_.has_value(); }

 private:
  friend class EventLoop;

  EventLoop& loop_;
  const std::function<void()> ring_;
  std::optional<EventLoop::Time> at_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_LOOP_EVENT_LOOP_H_
