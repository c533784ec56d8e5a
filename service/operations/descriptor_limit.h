// How many file descriptors the process may have, and what that leaves for callers.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_DESCRIPTOR_LIMIT_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_DESCRIPTOR_LIMIT_H_

#include <cstdint>

namespace pcap_gateway {

// Raises the soft limit (RLIMIT_NOFILE) to the hard one, which needs no rights, and returns what
// holds then. Nothing in here uses select(2), for which the soft limit is kept low by default.
int64_t RaiseDescriptorLimit();

// The connections of callers that so many descriptors allow, one each: what remains when those for
// Cloudflare, Redis, the admin port, files and what libraries open are set aside; half of them,
// where there are few. At least 1.
int64_t ConnectionsWithin(int64_t descriptors);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_DESCRIPTOR_LIMIT_H_
