#include "service/upstream/retry_policy.h"

#include <gtest/gtest.h>

#include "tests/support/fake_http_client.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

std::optional<absl::Duration> Backoff(int attempt, const HttpResult& result, double chance = 1) {
  static const RetryPolicy policy{.most_attempts = 8};
  return BackoffBefore(attempt, result, policy, chance, kNow);
}

TEST(RetryPolicy, RepeatsWhatMayEndOtherwise) {
  for (const int status : {408, 425, 500, 502, 503, 504, 520, 522, 524, 599}) {
    EXPECT_TRUE(IsTransient(Answered(status))) << status;
  }
  for (const Kind kind : {Kind::kResolve, Kind::kConnect, Kind::kBroken, Kind::kOwnLimits}) {
    EXPECT_TRUE(IsTransient(FailedWith(kind))) << static_cast<int>(kind);
  }
}

TEST(RetryPolicy, DoesNotRepeatWhatStaysAsItIs) {
  for (const int status : {200, 204, 301, 400, 401, 403, 404, 409, 501, 505}) {
    EXPECT_FALSE(IsTransient(Answered(status))) << status;
  }
  for (const Kind kind : {Kind::kTls, Kind::kTimeout, Kind::kMalformed, Kind::kTooLarge,
                          Kind::kCancelled, Kind::kStopped}) {
    EXPECT_FALSE(IsTransient(FailedWith(kind))) << static_cast<int>(kind);
  }
  EXPECT_FALSE(IsTransient(Withheld{Withheld::Kind::kQueueFull, absl::Seconds(1)}));
}

TEST(RetryPolicy, DoublesTheBackoffUpToALimit) {
  const int milliseconds[] = {100, 200, 400, 800, 1600, 2000, 2000};
  for (int attempt = 2; attempt <= 8; ++attempt) {
    EXPECT_EQ(Backoff(attempt, Answered(503)), absl::Milliseconds(milliseconds[attempt - 2]));
  }
  EXPECT_EQ(Backoff(9, Answered(503)), std::nullopt);
}

TEST(RetryPolicy, DrawsTheBackoffFromNothingToAll) {
  EXPECT_EQ(Backoff(2, Answered(503), 0), absl::ZeroDuration());
  EXPECT_EQ(Backoff(2, Answered(503), 0.5), absl::Milliseconds(50));
}

TEST(RetryPolicy, HonoursRetryAfterUpToALimit) {
  EXPECT_EQ(Backoff(2, Answered(503, "3"), 0), absl::Seconds(3));
  EXPECT_EQ(Backoff(2, Answered(503, "3"), 1), absl::Milliseconds(3100));
  EXPECT_EQ(Backoff(2, Answered(503, "6")), std::nullopt);
  EXPECT_EQ(Backoff(2, Answered(429, "1"), 0), absl::Seconds(1));
  EXPECT_EQ(Backoff(2, Answered(429)), std::nullopt);
  EXPECT_EQ(Backoff(2, Answered(503, "soon"), 0), absl::ZeroDuration());
}

TEST(RetryAllowance, IsAShareOfTheRequests) {
  RetryAllowance allowance({.retries_per_request = 0.25, .most_saved_retries = 2});
  EXPECT_TRUE(allowance.TakeRetry());
  EXPECT_TRUE(allowance.TakeRetry());
  EXPECT_FALSE(allowance.TakeRetry());
  for (int i = 0; i < 4; ++i) allowance.AddRequest();
  EXPECT_TRUE(allowance.TakeRetry());
  EXPECT_FALSE(allowance.TakeRetry());
  for (int i = 0; i < 1000; ++i) allowance.AddRequest();
  EXPECT_TRUE(allowance.TakeRetry());
  EXPECT_TRUE(allowance.TakeRetry());
  EXPECT_FALSE(allowance.TakeRetry());
}

}  // namespace
}  // namespace pcap_gateway
