#include "service/freshness/freshness.h"

#include <algorithm>

namespace pcap_gateway {
namespace {

// RFC 9111, 4.2.2, suggests a tenth of the time since the last change as a heuristic lifetime. A
// capture's last change that we know of is its beginning.
constexpr int kShareOfAge = 10;

// The last part of a final capture's life in which being asked for earns it a refresh.
constexpr int kShareOfLife = 10;

absl::Duration MovingLifetime(const Outcome& outcome, const FreshnessPolicy& policy) {
  absl::Duration lifetime = policy.moving_lifetime;
  if (outcome.run.began != absl::InfinitePast()) {
    const absl::Duration most = std::max(policy.longest_moving_lifetime, lifetime);
    lifetime = std::clamp((outcome.as_of - outcome.run.began) / kShareOfAge, lifetime, most);
  }
  // Past its end it may turn final at any moment, which is what the shortest lifetime is for.
  const absl::Duration left = outcome.run.ends - outcome.as_of;
  if (left <= absl::ZeroDuration()) {
    return outcome.run.ends == absl::InfinitePast() ? lifetime : policy.moving_lifetime;
  }
  return std::min(lifetime, left);
}

}  // namespace

absl::Duration LifetimeOf(const Outcome& outcome, const FreshnessPolicy& policy) {
  if (!outcome.ok()) {
    return outcome.error->code == absl::StatusCode::kNotFound ? policy.not_found_lifetime
                                                              : absl::ZeroDuration();
  }
  switch (outcome.stage) {
    case Stage::kFinal:
      return policy.final_lifetime;
    case Stage::kMoving:
      return MovingLifetime(outcome, policy);
    case Stage::kQuiet:
      return std::max(policy.moving_lifetime, policy.longest_moving_lifetime);
  }
  return absl::ZeroDuration();
}

absl::Duration WithJitter(absl::Duration lifetime, const FreshnessPolicy& policy, uint64_t seed) {
  constexpr uint64_t kSteps = 1024;
  const double chance = static_cast<double>(seed % kSteps) / kSteps;
  return lifetime * (1 - policy.jitter * chance);
}

absl::Time RefreshAt(const Outcome& outcome, absl::Time fresh_until) {
  if (!outcome.ok()) return absl::InfiniteFuture();
  if (outcome.stage != Stage::kFinal) return fresh_until;
  return fresh_until - (fresh_until - outcome.as_of) / kShareOfLife;
}

Freshness FreshnessOf(const Keeping& kept, absl::Duration max_age, const FreshnessPolicy& policy,
                      absl::Time now) {
  const bool fresh = now < kept.fresh_until;
  // max_age 0 asks for an answer from now on, so even one of this very moment came too early.
  if (max_age <= absl::ZeroDuration() || now - kept.as_of > max_age) {
    return fresh ? Freshness::kTooOldForCaller : Freshness::kStale;
  }
  if (fresh) return Freshness::kFresh;
  if (kept.ok && now < kept.fresh_until + policy.stale_while_revalidate) {
    return Freshness::kStaleWhileRevalidate;
  }
  return Freshness::kStale;
}

bool ServesOnError(const Keeping& kept, absl::Duration max_age, const FreshnessPolicy& policy,
                   absl::Time asked, absl::Time now) {
  if (!kept.ok || max_age <= absl::ZeroDuration() || asked - kept.as_of > max_age) return false;
  return now < kept.fresh_until + policy.stale_if_error;
}

bool CallsForStale(const Outcome& failure) {
  if (failure.ok()) return false;
  // A 4xx is Cloudflare's answer, unless somebody else gave it.
  const bool refused = failure.http_status >= 400 && failure.http_status < 500;
  if (refused && failure.error->code != absl::StatusCode::kUnavailable) return false;
  switch (failure.error->code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:  // an answer, though it came with 200
      return false;
  }
}

}  // namespace pcap_gateway
