// Loop: the one thread on which everything behind the cache happens, seen by those who hand it
// work.
#ifndef PCAP_GATEWAY_SERVICE_LOOP_LOOP_H_
#define PCAP_GATEWAY_SERVICE_LOOP_LOOP_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "service/base/ticket.h"

namespace pcap_gateway {

class Loop {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  virtual ~Loop() = default;

  // Runs `task` on the loop's thread, soon and after all tasks posted before it. Any thread; never
  // blocks.
  virtual void Post(Task task) = 0;

  // Whether the caller is on the loop's thread. Any thread.
  virtual bool IsCurrent() const = 0;

  // Runs `task` after `delay`, unless the ticket is cancelled before. The loop's thread only.
  virtual Ticket After(absl::Duration delay, Task task) = 0;
};

// Runs `task` on the loop's thread: at once where the caller is on it, and then ahead of what is
// posted; else soon. Any thread; never blocks.
inline void RunOn(Loop& loop, Loop::Task task) {
  if (!loop.IsCurrent()) return loop.Post(std::move(task));
  std::move(task)();
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_LOOP_LOOP_H_
