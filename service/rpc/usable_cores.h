// Usable cores: how many threads of ours can run at once. The machine may have more cores than this
// process may use (a container's cpuset, taskset), or use all of the time (its CPU limit).
#ifndef PCAP_GATEWAY_SERVICE_RPC_USABLE_CORES_H_
#define PCAP_GATEWAY_SERVICE_RPC_USABLE_CORES_H_

#include <optional>
#include <string>

namespace pcap_gateway {

// At least 1. A limit of one and a half cores is two. Reads files of the kernel's.
unsigned UsableCores();

// Of that, what the cgroup of this process and those above it allow together, of version 1 or 2, in
// cores; absent: there is no limit. `root`: what is before /proc and /sys, in tests.
std::optional<double> CpuQuota(const std::string& root = "");

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_USABLE_CORES_H_
