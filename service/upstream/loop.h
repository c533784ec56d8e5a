// Loop: the one thread that everything behind rest_source runs on, seen by those who hand it work.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_LOOP_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_LOOP_H_

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "service/source/source.h"

namespace pcap_gateway {

class Loop {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  virtual ~Loop() = default;

  // Runs `task` on the loop's thread, soon and after all tasks posted before it. Any thread; never
  // blocks.
  virtual void Post(Task task) = 0;

  // Runs `task` after `delay`, unless the ticket is cancelled before. The loop's thread only.
  virtual Ticket After(absl::Duration delay, Task task) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_LOOP_H_
