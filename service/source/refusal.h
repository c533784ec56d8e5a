// Refusal: why a request is not sent to Cloudflare just now, and when to come again.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_REFUSAL_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_REFUSAL_H_

#include "absl/time/time.h"

namespace pcap_gateway {

struct Refusal {
  enum class Limit {
    kCredential,  // all callers together have used up what Cloudflare allows
    kCaller,      // this caller has had its fair part of that
  };
  Limit limit = Limit::kCredential;
  // Until it is worth coming again: positive, and no longer than a window, or the longest block.
  absl::Duration wait;
  // A request is kept for this question at that time. Else it may well be refused again.
  bool place_kept = false;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_REFUSAL_H_
