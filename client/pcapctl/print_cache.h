// What the gateway's cache has done so far, for people and for programs; what `pcapctl cache`
// prints.
//
//   Calls
//     Hits                1204 (93.1 %)
//     Misses              89
//     …
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_CACHE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_CACHE_H_

#include <string>

#include "client/pcapctl/metric_samples.h"

namespace pcap_client {

// Lines, each ended by a newline. What the gateway does not count has no line.
std::string CacheTable(const MetricSamples& samples);

// The series of cache, upstream and Redis as one JSON object, ended by a newline.
std::string CacheJson(const MetricSamples& samples);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_CACHE_H_
