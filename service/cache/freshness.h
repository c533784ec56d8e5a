// Freshness: how long an outcome keeps, and whether a kept one will do. Pure functions of their
// arguments, time included.
//
//   outcome                               kept for (default)
//   final capture (success, complete,     24 h: it will say the same for ever
//   failed)
//   moving capture (any other status)     2 s: callers poll for its end
//   404                                   5 s: the id may be a moment too early
//   any other error                       not at all
#ifndef PCAP_GATEWAY_SERVICE_CACHE_FRESHNESS_H_
#define PCAP_GATEWAY_SERVICE_CACHE_FRESHNESS_H_

#include "absl/time/time.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

struct FreshnessPolicy {
  absl::Duration final_lifetime = absl::Hours(24);
  absl::Duration moving_lifetime = absl::Seconds(2);
  absl::Duration not_found_lifetime = absl::Seconds(5);
};

// From `outcome.as_of` on; zero: it is not kept.
absl::Duration LifetimeOf(const Outcome& outcome, const FreshnessPolicy& policy);

enum class Freshness {
  kFresh,            // will do
  kStale,            // its lifetime is over
  kTooOldForCaller,  // within its lifetime, but older than the caller accepts
};

// Whether an outcome of `as_of`, kept until `fresh_until`, answers a call that comes at `now` and
// accepts no answer older than `max_age` (RFC 9111, 4.2 and 5.2.1.1).
Freshness FreshnessOf(absl::Time as_of, absl::Time fresh_until, absl::Duration max_age,
                      absl::Time now);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CACHE_FRESHNESS_H_
