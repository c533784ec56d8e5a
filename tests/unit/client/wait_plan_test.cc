#include "client/pcapctl/wait_plan.h"

#include <gtest/gtest.h>

namespace pcap_client {
namespace {

TEST(IsFinal, IsWhatCannotChangeAnyMore) {
  EXPECT_TRUE(IsFinal(pcap::v1::PCAP_STATUS_SUCCESS));
  EXPECT_TRUE(IsFinal(pcap::v1::PCAP_STATUS_COMPLETE));
  EXPECT_TRUE(IsFinal(pcap::v1::PCAP_STATUS_FAILED));
  EXPECT_FALSE(IsFinal(pcap::v1::PCAP_STATUS_UNSPECIFIED));
  EXPECT_FALSE(IsFinal(pcap::v1::PCAP_STATUS_UNKNOWN));
  EXPECT_FALSE(IsFinal(pcap::v1::PCAP_STATUS_CONVERSION_RUNNING));
}

TEST(IsPassing, IsWhatWaitingHelpsAgainst) {
  EXPECT_TRUE(IsPassing({.code = absl::StatusCode::kUnavailable}));
  EXPECT_TRUE(IsPassing({.code = absl::StatusCode::kResourceExhausted}));
  EXPECT_TRUE(IsPassing({.code = absl::StatusCode::kDeadlineExceeded}));
  EXPECT_FALSE(IsPassing({.code = absl::StatusCode::kNotFound}));
  EXPECT_FALSE(IsPassing({.code = absl::StatusCode::kInternal}));
}

TEST(PauseAfterAnAnswer, IsAsLongAsTheGatewayKeepsItWithinBounds) {
  EXPECT_EQ(PauseAfter(AnswerInfo{.cache_status = "pcap-gateway; hit; ttl=7"}), absl::Seconds(7));
  EXPECT_EQ(PauseAfter(AnswerInfo{.cache_status = "pcap-gateway; hit; ttl=-3"}), absl::Seconds(1));
  EXPECT_EQ(PauseAfter(AnswerInfo{.cache_status = "pcap-gateway; fwd=uri-miss; stored; ttl=80856"}),
            absl::Seconds(10));
  EXPECT_EQ(PauseAfter(AnswerInfo{}), absl::Seconds(2));
}

TEST(PauseAfterAnError, IsWhatTheGatewaySays) {
  EXPECT_EQ(PauseAfter(CallError{.retry_after = absl::Seconds(42)}, 1), absl::Seconds(42));
  EXPECT_EQ(PauseAfter(CallError{.retry_after = absl::ZeroDuration()}, 1), absl::Seconds(1));
}

TEST(PauseAfterAnError, ElseDoublesUpToTenSeconds) {
  EXPECT_EQ(PauseAfter(CallError{}, 1), absl::Seconds(1));
  EXPECT_EQ(PauseAfter(CallError{}, 3), absl::Seconds(4));
  EXPECT_EQ(PauseAfter(CallError{}, 4), absl::Seconds(8));
  EXPECT_EQ(PauseAfter(CallError{}, 5), absl::Seconds(10));
  EXPECT_EQ(PauseAfter(CallError{}, 1'000'000), absl::Seconds(10));
}

}  // namespace
}  // namespace pcap_client
