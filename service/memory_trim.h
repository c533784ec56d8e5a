// MemoryTrim: what was freed goes back to the system, where malloc is glibc's.
//
// glibc keeps what is freed for the next who asks. After fifty calls with 20,000 headers each it
// kept 80 MiB, and 80 more after the next fifty. Another malloc (mimalloc) has nothing here to give
// back, so that this costs it one look a second.
#ifndef PCAP_GATEWAY_SERVICE_MEMORY_TRIM_H_
#define PCAP_GATEWAY_SERVICE_MEMORY_TRIM_H_

#include <cstdint>

#include "service/base/ticket.h"
#include "service/loop/event_loop.h"

namespace pcap_gateway {

class MemoryTrim {
 public:
  // Gives back what the start has freed; from then on looks each second whether the process has
  // grown by 16 MiB since it last gave something back. `loop` outlives this.
  explicit MemoryTrim(EventLoop& loop);
  // Any thread but the loop's.
  ~MemoryTrim();
  MemoryTrim(const MemoryTrim&) = delete;
  MemoryTrim& operator=(const MemoryTrim&) = delete;

 private:
  void Look();

  EventLoop& loop_;
  // The rest is the loop's thread's.
  int64_t resident_ = 0;  // bytes, when something was last given back
  Ticket next_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MEMORY_TRIM_H_
