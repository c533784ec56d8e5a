#include "service/upstream/breaker_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;
using testing::ElementsAre;

class BreakerClientTest : public testing::Test {
 protected:
  void Ask(const std::optional<HttpResult>& end) {
    http_.at_once = end;
    client_.Send(RequestFor(1), [this](HttpResult result) { ends_.push_back(EndOf(result)); });
  }

  FakeClock clock_;
  FakeHttpClient http_;
  BreakerClient client_{http_, {.failures_to_open = 2, .open_for = absl::Seconds(1)}, clock_};
  std::vector<std::string> ends_;
};

TEST_F(BreakerClientTest, LeavesAFailingUpstreamAlone) {
  for (int i = 0; i < 3; ++i) Ask(Answered(503));
  EXPECT_THAT(ends_, ElementsAre("503", "503", "withheld"));
  EXPECT_EQ(http_.requests.size(), 2u);
  EXPECT_EQ(client_.stats().withheld.Value(), 1u);
  EXPECT_EQ(client_.stats().state, static_cast<int>(CircuitBreaker::State::kOpen));
}

TEST_F(BreakerClientTest, AsksItAgainOnceAndThenFreely) {
  Ask(FailedWith(Kind::kConnect));
  Ask(FailedWith(Kind::kTimeout));
  clock_.Advance(absl::Seconds(1));
  for (int i = 0; i < 3; ++i) Ask(Answered(200));
  EXPECT_EQ(http_.requests.size(), 5u);
  EXPECT_EQ(client_.stats().state, static_cast<int>(CircuitBreaker::State::kClosed));
}

TEST_F(BreakerClientTest, AClientErrorIsTheWordOfAnUpstreamThatIsWell) {
  for (const int status : {400, 401, 403, 404, 429}) {
    Ask(Answered(500));
    Ask(Answered(status));
  }
  EXPECT_EQ(http_.requests.size(), 10u);
}

TEST_F(BreakerClientTest, WhatWeEndedOurselvesSaysNothing) {
  for (int i = 0; i < 5; ++i) {
    Ask(FailedWith(Kind::kCancelled));
    Ask(FailedWith(Kind::kTooLarge));
    Ask(Withheld{Withheld::Kind::kOverBudget, absl::Seconds(1)});
  }
  EXPECT_EQ(http_.requests.size(), 15u);
}

}  // namespace
}  // namespace pcap_gateway
