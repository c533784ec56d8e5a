// StartThread: a thread that the gateway cannot do without.
#ifndef PCAP_GATEWAY_SERVICE_BASE_THREAD_H_
#define PCAP_GATEWAY_SERVICE_BASE_THREAD_H_

#include <cstddef>
#include <functional>
#include <thread>

#include "absl/status/status.h"

namespace pcap_gateway {

// Such threads are started at the start. If the system gives none (ulimit -u, a pids
// cgroup), the process says so in one line on stderr and ends with exit code 1, so that its
// supervisor tries again: an exception would abort it.
std::thread StartThread(std::function<void()> run);

// Whether so many threads can be had at once just now. They are given back: whoever needs them
// later, libraries that abort without theirs among them, finds them unless somebody else took them.
absl::Status CheckThreads(size_t count);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_THREAD_H_
