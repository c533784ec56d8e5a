// Burst: a stretch of work on one thread that may give many replies.
//
// Whoever hands replies on to another thread would wake that thread for each of them, and on a busy
// core lose the processor to it each time. Inside a burst it asks to be called once, at the end.
//
//   const Burst burst;   // of a turn of the loop, which has many replies
//   for (Reply& reply : replies) {
//     posted.push_back(std::move(reply));
//     if (posted.size() == 1) Burst::AtEnd([&] { Wake(); });   // where there is no burst, at once
//   }
#ifndef PCAP_GATEWAY_SERVICE_BASE_BURST_H_
#define PCAP_GATEWAY_SERVICE_BASE_BURST_H_

#include <vector>

#include "absl/functional/any_invocable.h"

namespace pcap_gateway {

// Belongs to the thread that made it, which has one at a time.
class Burst {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  Burst();
  // Runs the tasks, in the order in which they came, and what they add after them.
  ~Burst();
  Burst(const Burst&) = delete;
  Burst& operator=(const Burst&) = delete;

  // Runs `task` at the end of this thread's burst; at once where there is none.
  static void AtEnd(Task task);

 private:
  std::vector<Task> tasks_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_BURST_H_
