#include "service/cache/freshness.h"

#include <gtest/gtest.h>

#include "tests/support/fake_source.h"

namespace pcap_gateway {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000);
const FreshnessPolicy kPolicy{.final_lifetime = absl::Hours(24),
                              .moving_lifetime = absl::Seconds(2),
                              .not_found_lifetime = absl::Seconds(5)};

TEST(LifetimeOf, FinalCapturesKeepLong) {
  EXPECT_EQ(LifetimeOf(*MakeOutcome(kNoon, "m", Stage::kFinal), kPolicy), absl::Hours(24));
}

TEST(LifetimeOf, MovingCapturesKeepForSeconds) {
  EXPECT_EQ(LifetimeOf(*MakeOutcome(kNoon, "m", Stage::kMoving), kPolicy), absl::Seconds(2));
}

TEST(LifetimeOf, NotFoundKeepsBriefly) {
  const Error error(absl::StatusCode::kNotFound, Reason::kPcapNotFound, "no such capture");
  EXPECT_EQ(LifetimeOf(*MakeFailure(kNoon, error, 404), kPolicy), absl::Seconds(5));
}

TEST(LifetimeOf, NoOtherFailureKeepsAtAll) {
  for (const Reason reason :
       {Reason::kUpstreamBadRequest, Reason::kUpstreamUnauthenticated,
        Reason::kUpstreamPermissionDenied, Reason::kUpstreamCredentialsRejected,
        Reason::kUpstreamConflict, Reason::kRateLimited, Reason::kUpstreamUnavailable,
        Reason::kUpstreamUnreachable, Reason::kUpstreamInvalidResponse,
        Reason::kUpstreamResponseTooLarge, Reason::kUpstreamError, Reason::kDeadlineExceeded,
        Reason::kCancelled, Reason::kShuttingDown, Reason::kInternal}) {
    const Error error(absl::StatusCode::kUnavailable, reason, "failed");
    EXPECT_EQ(LifetimeOf(*MakeFailure(kNoon, error, 500), kPolicy), absl::ZeroDuration())
        << NameOf(reason);
  }
}

struct Case {
  absl::Duration age;
  absl::Duration lifetime;
  absl::Duration max_age;
  Freshness expected;
};

TEST(FreshnessOf, FollowsLifetimeAndTheCallersMaxAge) {
  const absl::Duration any = absl::InfiniteDuration();
  const Case cases[] = {
      {absl::Seconds(0), absl::Seconds(2), any, Freshness::kFresh},
      {absl::Milliseconds(1999), absl::Seconds(2), any, Freshness::kFresh},
      {absl::Seconds(2), absl::Seconds(2), any, Freshness::kStale},
      {absl::Seconds(1), absl::Seconds(2), absl::Seconds(1), Freshness::kFresh},
      {absl::Milliseconds(1001), absl::Seconds(2), absl::Seconds(1), Freshness::kTooOldForCaller},
      {absl::Seconds(0), absl::Seconds(2), absl::ZeroDuration(), Freshness::kTooOldForCaller},
      // The caller cannot stretch the server's lifetime.
      {absl::Seconds(3), absl::Seconds(2), absl::Hours(1), Freshness::kStale},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(FreshnessOf(kNoon, kNoon + c.lifetime, c.max_age, kNoon + c.age), c.expected)
        << "age " << c.age << ", lifetime " << c.lifetime << ", max_age " << c.max_age;
  }
}

}  // namespace
}  // namespace pcap_gateway
