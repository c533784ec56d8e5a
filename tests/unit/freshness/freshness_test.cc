#include "service/freshness/freshness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "service/freshness/succession.h"
#include "tests/support/fake_source.h"

namespace pcap_gateway {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000);
const FreshnessPolicy kPolicy{.final_lifetime = absl::Hours(24),
                              .moving_lifetime = absl::Seconds(2),
                              .longest_moving_lifetime = absl::Seconds(10),
                              .not_found_lifetime = absl::Seconds(5),
                              .stale_while_revalidate = absl::Seconds(3),
                              .stale_if_error = absl::Minutes(10)};

TEST(LifetimeOf, FinalCapturesKeepLong) {
  EXPECT_EQ(LifetimeOf(*MakeOutcome(kNoon, "m", Stage::kFinal), kPolicy), absl::Hours(24));
}

TEST(LifetimeOf, MovingCapturesKeepForSeconds) {
  EXPECT_EQ(LifetimeOf(*MakeOutcome(kNoon, "m", Stage::kMoving), kPolicy), absl::Seconds(2));
}

TEST(LifetimeOf, AListInWhichNothingMovesKeepsAsLongAsTheOldestMovingCapture) {
  const OutcomePtr list = MakeOutcome(kNoon, "m", Stage::kQuiet);
  EXPECT_EQ(LifetimeOf(*list, kPolicy), absl::Seconds(10));
  EXPECT_EQ(RefreshAt(*list, kNoon + absl::Seconds(10)), kNoon + absl::Seconds(10));
}

TEST(LifetimeOf, NotFoundKeepsBriefly) {
  const Error error(absl::StatusCode::kNotFound, Reason::kPcapNotFound, "no such capture");
  EXPECT_EQ(LifetimeOf(*MakeFailure(kNoon, error, 404), kPolicy), absl::Seconds(5));
}

TEST(LifetimeOf, NoOtherFailureKeepsAtAll) {
  for (const Reason reason :
       {Reason::kUpstreamBadRequest, Reason::kUpstreamUnauthenticated,
        Reason::kUpstreamPermissionDenied, Reason::kUpstreamCredentialsRejected,
        Reason::kUpstreamAccountDenied, Reason::kUpstreamConflict, Reason::kRateLimited,
        Reason::kUpstreamUnavailable, Reason::kUpstreamUnreachable,
        Reason::kUpstreamInvalidResponse, Reason::kUpstreamResponseTooLarge, Reason::kUpstreamError,
        Reason::kDeadlineExceeded, Reason::kCancelled, Reason::kShuttingDown, Reason::kInternal}) {
    const Error error(absl::StatusCode::kUnavailable, reason, "failed");
    EXPECT_EQ(LifetimeOf(*MakeFailure(kNoon, error, 500), kPolicy), absl::ZeroDuration())
        << NameOf(reason);
  }
}

Outcome Moving(absl::Duration age, absl::Duration limit) {
  Outcome outcome;
  outcome.as_of = kNoon;
  outcome.run.began = kNoon - age;
  if (limit < absl::InfiniteDuration()) outcome.run.ends = outcome.run.began + limit;
  return outcome;
}

TEST(LifetimeOf, AMovingCapturesLifetimeGrowsWithItsAge) {
  const absl::Duration none = absl::InfiniteDuration();
  const struct {
    absl::Duration age;
    absl::Duration limit;
    absl::Duration expected;
  } cases[] = {
      {absl::Seconds(0), none, absl::Seconds(2)},
      {absl::Seconds(20), none, absl::Seconds(2)},
      {absl::Seconds(50), none, absl::Seconds(5)},
      {absl::Seconds(100), none, absl::Seconds(10)},
      {absl::Hours(5), none, absl::Seconds(10)},
      // Never past what is left of the time limit.
      {absl::Seconds(55), absl::Seconds(60), absl::Seconds(5)},
      {absl::Seconds(58), absl::Seconds(60), absl::Seconds(2)},
      {absl::Milliseconds(59'900), absl::Seconds(60), absl::Milliseconds(100)},
      // Past its end it may turn final at any moment.
      {absl::Seconds(60), absl::Seconds(60), absl::Seconds(2)},
      {absl::Hours(5), absl::Seconds(60), absl::Seconds(2)},
      // A beginning in the future, by a clock that goes wrong.
      {absl::Hours(-1), none, absl::Seconds(2)},
      {absl::Hours(-1), absl::Seconds(60), absl::Seconds(2)},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(LifetimeOf(Moving(c.age, c.limit), kPolicy), c.expected)
        << "age " << c.age << ", limit " << c.limit;
  }
}

TEST(LifetimeOf, ALongestBelowTheShortestDoesNotShortenIt) {
  FreshnessPolicy policy = kPolicy;
  policy.longest_moving_lifetime = absl::Seconds(1);
  EXPECT_EQ(LifetimeOf(Moving(absl::Hours(1), absl::InfiniteDuration()), policy), absl::Seconds(2));
}

TEST(WithJitter, TakesUpToItsShareAndSpreadsEvenly) {
  absl::Duration shortest = absl::InfiniteDuration();
  absl::Duration longest;
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    const absl::Duration lifetime = WithJitter(absl::Seconds(100), kPolicy, seed);
    shortest = std::min(shortest, lifetime);
    longest = std::max(longest, lifetime);
  }
  EXPECT_EQ(longest, absl::Seconds(100));
  EXPECT_GT(shortest, absl::Seconds(90));
  EXPECT_LT(shortest, absl::Seconds(91));
}

TEST(RefreshAt, AFinalCaptureIsRefreshedInTheLastTenthAMovingOneOnceStale) {
  const auto final = MakeOutcome(kNoon, "m", Stage::kFinal);
  EXPECT_EQ(RefreshAt(*final, kNoon + absl::Hours(10)), kNoon + absl::Hours(9));
  const auto moving = MakeOutcome(kNoon, "m", Stage::kMoving);
  EXPECT_EQ(RefreshAt(*moving, kNoon + absl::Seconds(2)), kNoon + absl::Seconds(2));
  const Error error(absl::StatusCode::kNotFound, Reason::kPcapNotFound, "no such capture");
  EXPECT_EQ(RefreshAt(*MakeFailure(kNoon, error, 404), kNoon + absl::Seconds(5)),
            absl::InfiniteFuture());
}

struct Case {
  absl::Duration age;
  absl::Duration max_age;
  bool ok;
  Freshness expected;
};

TEST(FreshnessOf, FollowsLifetimeAndTheCallersMaxAge) {
  const absl::Duration any = absl::InfiniteDuration();
  const Case cases[] = {
      {absl::Seconds(0), any, true, Freshness::kFresh},
      {absl::Milliseconds(1999), any, true, Freshness::kFresh},
      {absl::Seconds(1), absl::Seconds(1), true, Freshness::kFresh},
      {absl::Milliseconds(1001), absl::Seconds(1), true, Freshness::kTooOldForCaller},
      {absl::Seconds(0), absl::ZeroDuration(), true, Freshness::kTooOldForCaller},
      {absl::Seconds(2), any, true, Freshness::kStaleWhileRevalidate},
      {absl::Milliseconds(4999), any, true, Freshness::kStaleWhileRevalidate},
      {absl::Seconds(5), any, true, Freshness::kStale},
      // Nothing that is older than the caller accepts, not even while it is refreshed.
      {absl::Seconds(3), absl::Seconds(3), true, Freshness::kStaleWhileRevalidate},
      {absl::Seconds(3), absl::Seconds(2), true, Freshness::kStale},
      // The caller cannot stretch the server's lifetime.
      {absl::Seconds(5), absl::Hours(1), true, Freshness::kStale},
      // An error is not used any more once it is stale.
      {absl::Seconds(1), any, false, Freshness::kFresh},
      {absl::Seconds(2), any, false, Freshness::kStale},
  };
  for (const Case& c : cases) {
    const Keeping kept{.as_of = kNoon, .fresh_until = kNoon + absl::Seconds(2), .ok = c.ok};
    EXPECT_EQ(FreshnessOf(kept, c.max_age, kPolicy, kNoon + c.age), c.expected)
        << "age " << c.age << ", max_age " << c.max_age << ", ok " << c.ok;
  }
}

TEST(ServesOnError, HoldsWithinTheWindowAndTheCallersMaxAge) {
  const absl::Duration any = absl::InfiniteDuration();
  const Keeping kept{.as_of = kNoon, .fresh_until = kNoon + absl::Seconds(2), .ok = true};
  const auto serves = [&](const Keeping& keeping, absl::Duration max_age, absl::Duration asked,
                          absl::Duration failed) {
    return ServesOnError(keeping, max_age, kPolicy, kNoon + asked, kNoon + failed);
  };
  const absl::Duration last = absl::Seconds(2) + absl::Minutes(10);
  EXPECT_TRUE(serves(kept, any, absl::Seconds(3), absl::Seconds(3)));
  EXPECT_TRUE(serves(kept, any, absl::Seconds(3), last - absl::Nanoseconds(1)));
  EXPECT_FALSE(serves(kept, any, absl::Seconds(3), last));
  // What counts against max_age is when the caller asked, not how long the failure took.
  EXPECT_TRUE(serves(kept, absl::Seconds(3), absl::Seconds(3), absl::Seconds(9)));
  EXPECT_FALSE(serves(kept, absl::Seconds(3), absl::Seconds(4), absl::Seconds(4)));
  EXPECT_FALSE(serves(kept, absl::ZeroDuration(), absl::Seconds(0), absl::Seconds(0)));
  Keeping error = kept;
  error.ok = false;
  EXPECT_FALSE(serves(error, any, absl::Seconds(3), absl::Seconds(3)));
}

TEST(MayOutdate, HoldsForWhatNobodyKnowsTheEndOf) {
  const struct {
    absl::StatusCode code;
    Reason reason;
    bool expected;  // where it was sent once
    Denies denies = Denies::kNothing;
  } cases[] = {
      {absl::StatusCode::kCancelled, Reason::kCancelled, true},
      {absl::StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded, true},
      {absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable, true},
      {absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, true},
      {absl::StatusCode::kInternal, Reason::kUpstreamInvalidResponse, true},
      {absl::StatusCode::kNotFound, Reason::kPcapNotFound, false},
      {absl::StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest, false},
      {absl::StatusCode::kPermissionDenied, Reason::kUpstreamAccountDenied, false},
      {absl::StatusCode::kResourceExhausted, Reason::kRateLimited, false},
      {absl::StatusCode::kAborted, Reason::kUpstreamConflict, false},
      {absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected, false,
       Denies::kEverything},
  };
  for (const auto& c : cases) {
    Error error(c.code, c.reason, "failed");
    error.denies = c.denies;
    const OutcomePtr outcome = MakeFailure(kNoon, std::move(error), 0);
    EXPECT_FALSE(MayOutdate(*outcome, 0)) << NameOf(c.reason);
    EXPECT_EQ(MayOutdate(*outcome, 1), c.expected) << NameOf(c.reason);
    EXPECT_TRUE(MayOutdate(*outcome, 2)) << NameOf(c.reason);
  }
  EXPECT_TRUE(MayOutdate(*MakeOutcome(kNoon, "m", Stage::kFinal), 1));
}

TEST(CallsForStale, HoldsOnlyForWhatIsNoAnswer) {
  const struct {
    absl::StatusCode code;
    Reason reason;
    int http_status;
    bool expected;
  } cases[] = {
      {absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 500, true},
      {absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503, true},
      {absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 302, true},
      {absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable, 0, true},
      {absl::StatusCode::kInternal, Reason::kUpstreamInvalidResponse, 200, true},
      {absl::StatusCode::kResourceExhausted, Reason::kRateLimited, 0, true},
      {absl::StatusCode::kResourceExhausted, Reason::kRateLimited, 429, false},
      {absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 408, true},
      {absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 404, true},  // a proxy's
      {absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected, 401, false},
      {absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected, 400, false},
      {absl::StatusCode::kPermissionDenied, Reason::kUpstreamAccountDenied, 403, false},
      {absl::StatusCode::kNotFound, Reason::kPcapNotFound, 404, false},
      {absl::StatusCode::kNotFound, Reason::kPcapNotFound, 200, false},
      {absl::StatusCode::kPermissionDenied, Reason::kUpstreamPermissionDenied, 200, false},
      {absl::StatusCode::kCancelled, Reason::kCancelled, 0, false},
  };
  for (const auto& c : cases) {
    const Error error(c.code, c.reason, "failed");
    EXPECT_EQ(CallsForStale(*MakeFailure(kNoon, error, c.http_status)), c.expected)
        << NameOf(c.reason) << " " << c.http_status;
  }
  EXPECT_FALSE(CallsForStale(*MakeOutcome(kNoon, "m", Stage::kFinal)));
}

}  // namespace
}  // namespace pcap_gateway
