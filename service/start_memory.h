// What the start of the program leaves behind in memory.
#ifndef PCAP_GATEWAY_SERVICE_START_MEMORY_H_
#define PCAP_GATEWAY_SERVICE_START_MEMORY_H_

#ifdef PCAP_GATEWAY_MIMALLOC
#include <mimalloc.h>
#endif

namespace pcap_gateway {

// While one lives, what is freed goes back to the system at once, and not when there is more to do.
// Of what the start reads and lets go, above all the system's certificates, mimalloc 3 would keep
// 15 MiB. Without it, and with mimalloc 2, which keeps little, it does nothing. For one thread.
class GivesMemoryBack {
 public:
  GivesMemoryBack() = default;
  GivesMemoryBack(const GivesMemoryBack&) = delete;
  GivesMemoryBack& operator=(const GivesMemoryBack&) = delete;

#if defined(MI_MALLOC_VERSION) && MI_MALLOC_VERSION >= 300
  ~GivesMemoryBack() { mi_option_set(mi_option_purge_delay, usual_delay_); }

 private:
  static long SetDelay(long milliseconds) {
    const long before = mi_option_get(mi_option_purge_delay);
    mi_option_set(mi_option_purge_delay, milliseconds);
    return before;
  }

  const long usual_delay_ = SetDelay(0);
#endif
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_START_MEMORY_H_
