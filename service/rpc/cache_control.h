// The caller's `cache-control`, as far as a request can carry it (RFC 9111, 5.2.1).
#ifndef PCAP_GATEWAY_SERVICE_RPC_CACHE_CONTROL_H_
#define PCAP_GATEWAY_SERVICE_RPC_CACHE_CONTROL_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// The oldest answer that the caller accepts: 0 with `no-cache`, N seconds with `max-age=N`, the
// smallest of several, infinite with neither. Directives that are unknown or malformed are passed
// over, as the RFC asks.
absl::Duration MaxAgeOf(absl::string_view cache_control);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CACHE_CONTROL_H_
