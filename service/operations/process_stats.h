// What the kernel counts of this process.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_PROCESS_STATS_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_PROCESS_STATS_H_

#include <cstdint>

namespace pcap_gateway {

// From /proc; 0 where it does not say.
struct ProcessStats {
  double cpu_seconds = 0;  // user and system, all threads
  double start_time = 0;   // Unix time, seconds
  int64_t resident_bytes = 0;
  int64_t virtual_bytes = 0;
  int64_t open_fds = 0;
  int64_t max_fds = 0;  // the soft limit
};

// resident_bytes alone, which costs one file read. Any thread.
int64_t ResidentBytes();

// Some system calls; any thread.
ProcessStats ReadProcessStats();

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_PROCESS_STATS_H_
