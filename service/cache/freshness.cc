#include "service/cache/freshness.h"

namespace pcap_gateway {

absl::Duration LifetimeOf(const Outcome& outcome, const FreshnessPolicy& policy) {
  if (!outcome.ok()) {
    return outcome.error->reason == Reason::kPcapNotFound ? policy.not_found_lifetime
                                                          : absl::ZeroDuration();
  }
  switch (outcome.stage) {
    case Stage::kFinal:
      return policy.final_lifetime;
    case Stage::kMoving:
      return policy.moving_lifetime;
  }
  return absl::ZeroDuration();
}

Freshness FreshnessOf(absl::Time as_of, absl::Time fresh_until, absl::Duration max_age,
                      absl::Time now) {
  if (now >= fresh_until) return Freshness::kStale;
  // max_age 0 asks for an answer from now on, so even one of this very moment came too early.
  if (max_age <= absl::ZeroDuration() || now - as_of > max_age) return Freshness::kTooOldForCaller;
  return Freshness::kFresh;
}

}  // namespace pcap_gateway
