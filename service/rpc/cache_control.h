// The caller's `cache-control`, as far as a request can carry it (RFC 9111, 5.2.1).
#ifndef PCAP_GATEWAY_SERVICE_RPC_CACHE_CONTROL_H_
#define PCAP_GATEWAY_SERVICE_RPC_CACHE_CONTROL_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_gateway {

struct CacheControl {
  // The oldest answer that the caller accepts: 0 with `no-cache`, N seconds with `max-age=N`, the
  // smallest of several, infinite with neither.
  absl::Duration max_age = absl::InfiniteDuration();
  // `only-if-cached`: nothing is to be asked for it.
  bool only_if_cached = false;

  // What both ask for together, where a call carries the header more than once.
  void Add(const CacheControl& other);
};

// Directives that are unknown or malformed are passed over, as the RFC asks.
CacheControl CacheControlOf(absl::string_view header);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CACHE_CONTROL_H_
