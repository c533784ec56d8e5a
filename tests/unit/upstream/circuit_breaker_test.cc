#include "service/upstream/circuit_breaker.h"

#include <gtest/gtest.h>

namespace pcap_gateway {
namespace {

using State = CircuitBreaker::State;

class CircuitBreakerTest : public testing::Test {
 protected:
  void Fail(int times) {
    for (int i = 0; i < times; ++i) breaker_.Failed(now_);
  }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  CircuitBreaker breaker_{
      {.failures_to_open = 3, .open_for = absl::Seconds(1), .open_for_at_most = absl::Seconds(3)}};
};

TEST_F(CircuitBreakerTest, OpensAfterSoManyFailuresInARow) {
  Fail(2);
  EXPECT_FALSE(breaker_.Ask(now_).has_value());
  Fail(1);
  EXPECT_EQ(breaker_.Ask(now_), absl::Seconds(1));
  EXPECT_EQ(breaker_.state(), State::kOpen);
}

TEST_F(CircuitBreakerTest, ASuccessInBetweenStartsTheCountAnew) {
  Fail(2);
  breaker_.Succeeded();
  Fail(2);
  EXPECT_FALSE(breaker_.Ask(now_).has_value());
}

TEST_F(CircuitBreakerTest, LetsOneProbePass) {
  Fail(3);
  now_ += absl::Seconds(1);
  EXPECT_FALSE(breaker_.Ask(now_).has_value());
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  EXPECT_TRUE(breaker_.Ask(now_).has_value());
  breaker_.Succeeded();
  EXPECT_EQ(breaker_.state(), State::kClosed);
  EXPECT_FALSE(breaker_.Ask(now_).has_value());
  EXPECT_FALSE(breaker_.Ask(now_).has_value());
}

TEST_F(CircuitBreakerTest, WaitsTwiceAsLongAfterEachFailedProbe) {
  Fail(3);
  for (const int seconds : {1, 2, 3, 3}) {
    EXPECT_EQ(breaker_.Ask(now_), absl::Seconds(seconds));
    now_ += absl::Seconds(seconds);
    ASSERT_FALSE(breaker_.Ask(now_).has_value());
    Fail(1);
  }
}

TEST_F(CircuitBreakerTest, AProbeThatSaysNothingLetsAnotherPass) {
  Fail(3);
  now_ += absl::Seconds(1);
  EXPECT_FALSE(breaker_.Ask(now_).has_value());
  breaker_.Abandoned();
  EXPECT_FALSE(breaker_.Ask(now_).has_value());
}

TEST_F(CircuitBreakerTest, WhatFailsWhileItIsOpenDoesNotKeepItSo) {
  Fail(50);
  now_ += absl::Seconds(1);
  EXPECT_FALSE(breaker_.Ask(now_).has_value());
}

}  // namespace
}  // namespace pcap_gateway
