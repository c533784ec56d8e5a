// Rate limit headers: what an answer says of how often one may ask.
//
//   Ratelimit: "default";r=50;t=30            50 more requests within the next 30 s
//   Ratelimit-Policy: "burst";q=100;w=60      100 requests in any 60 s
//
// Both are lists of strings with parameters, in the syntax of RFC 9651 (draft-ietf-httpapi-
// ratelimit-headers; Cloudflare sends them since September 2025).
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_RATE_LIMIT_HEADERS_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_RATE_LIMIT_HEADERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// An item of Ratelimit.
struct RateLimit {
  std::string policy;
  int64_t remaining;     // r: requests; 0 or more
  absl::Duration reset;  // t: until then; 0 or more
};

// An item of Ratelimit-Policy.
struct RateLimitPolicy {
  std::string name;
  int64_t quota;          // q: requests; 1 or more
  absl::Duration window;  // w: in any time of this length; 1 s or more
};

// Items without what they need, or with more than a year or a billion in it, are left out; a text
// that breaks the syntax says nothing at all (RFC 9651, 4.2). Never fails otherwise: the text is
// foreign.
std::vector<RateLimit> RateLimitsFrom(absl::string_view text);
std::vector<RateLimitPolicy> RateLimitPoliciesFrom(absl::string_view text);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_RATE_LIMIT_HEADERS_H_
