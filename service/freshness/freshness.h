// Freshness: how long an outcome keeps, and what a kept one may still be used for. Pure functions
// of their arguments, time included.
//
//   outcome                              fresh for (default)                          when stale
//   final capture (success, complete,    24 h: it will say the same for ever; asked   revalidate,
//   failed)                              for in the last tenth, it is refreshed       if error
//   moving capture (any other status)    a tenth of its age, from 2 s to 10 s, never  revalidate,
//                                        past the end that its time_limit sets        if error
//   list with a moving capture           as its youngest moving capture would be      revalidate,
//                                                                                     if error
//   list without one                     10 s                                         revalidate,
//                                                                                     if error
//   404                                  5 s: the id may be a moment too early        –
//   any other error                      not at all                                   –
//
//   revalidate   for 5 s more a hit gives the stale outcome, and the cache refreshes it
//                (stale-while-revalidate, RFC 5861, 3)
//   if error     for 1 h more it is given where asking again fails, but not with 4xx
//                (stale-if-error, RFC 5861, 4)
//
// Each lifetime is cut by up to a tenth, at random, so that what came together does not expire
// together. A caller's own max_age is a bound over all of it: nothing older is ever given.
#ifndef PCAP_GATEWAY_SERVICE_FRESHNESS_FRESHNESS_H_
#define PCAP_GATEWAY_SERVICE_FRESHNESS_FRESHNESS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

// All durations are zero or more; zero turns off what it says.
struct FreshnessPolicy {
  absl::Duration final_lifetime = absl::Hours(24);
  absl::Duration moving_lifetime = absl::Seconds(2);           // of a young capture
  absl::Duration longest_moving_lifetime = absl::Seconds(10);  // and of a list that is quiet
  absl::Duration not_found_lifetime = absl::Seconds(5);
  absl::Duration stale_while_revalidate = absl::Seconds(5);
  absl::Duration stale_if_error = absl::Hours(1);
  double jitter = 0.1;  // the share of a lifetime that chance may take off; 0 to 1
};

// From `outcome.as_of` on, before chance takes its share; zero: it is not kept.
absl::Duration LifetimeOf(const Outcome& outcome, const FreshnessPolicy& policy);

// `lifetime` without up to `policy.jitter` of it. `seed`: of any distribution.
absl::Duration WithJitter(absl::Duration lifetime, const FreshnessPolicy& policy, uint64_t seed);

// From when on a hit refreshes an outcome that is fresh until `fresh_until`. Infinite: never.
absl::Time RefreshAt(const Outcome& outcome, absl::Time fresh_until);

// A kept outcome, as far as freshness goes.
struct Keeping {
  absl::Time as_of;
  absl::Time fresh_until;
  bool ok;  // it is an answer; errors are not used once they are stale
};

enum class Freshness {
  kFresh,                 // will do
  kStaleWhileRevalidate,  // will do, and is to be refreshed
  kStale,                 // too old for the policy
  kTooOldForCaller,       // within its lifetime, but older than the caller accepts
};

// Whether what is kept answers a call that comes at `now` and accepts no answer older than
// `max_age` (RFC 9111, 4.2 and 5.2.1.1).
Freshness FreshnessOf(const Keeping& kept, absl::Duration max_age, const FreshnessPolicy& policy,
                      absl::Time now);

// Whether it answers a call that came at `asked`, once asking upstream has failed at `now` in a way
// that CallsForStale.
bool ServesOnError(const Keeping& kept, absl::Duration max_age, const FreshnessPolicy& policy,
                   absl::Time asked, absl::Time now);

// Whether a failure may be covered up with a stale answer: nobody was reached, or who answered was
// in no state to, or was not Cloudflare. Not its 4xx: that is an answer, and the caller gets it.
bool CallsForStale(const Outcome& failure);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_FRESHNESS_FRESHNESS_H_
