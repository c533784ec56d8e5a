#include "service/upstream/paced_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/fake_loop.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;

class PacedClientTest : public testing::Test {
 protected:
  Ticket Send(int number, const std::string& caller = "one") {
    HttpRequest request = RequestFor(number);
    request.caller = std::make_shared<const std::string>(caller);
    return client_.Send(std::move(request),
                        [this](HttpResult result) { ends_.push_back(EndOf(result)); });
  }
  std::vector<std::string> SentUrls() const {
    std::vector<std::string> urls;
    for (const HttpRequest& request : http_.requests) urls.push_back(request.url);
    return urls;
  }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  FakeHttpClient http_;
  PacedClient client_{loop_, http_, 2, clock_};
  std::vector<std::string> ends_;
};

TEST_F(PacedClientTest, SendsSoManyInASecondAndTheOthersLater) {
  for (int i = 0; i < 5; ++i) Send(i);
  EXPECT_EQ(http_.requests.size(), 2u);
  EXPECT_EQ(client_.stats().waiting.load(), 3);
  loop_.Advance(absl::Seconds(1));
  EXPECT_EQ(http_.requests.size(), 2u);
  loop_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(http_.requests.size(), 4u);
  loop_.Advance(absl::Seconds(2));
  EXPECT_EQ(http_.requests.size(), 5u);
  EXPECT_EQ(client_.stats().waiting.load(), 0);
}

TEST_F(PacedClientTest, CallersTakeTurns) {
  for (int i = 0; i < 6; ++i) Send(i, "greedy");
  Send(100, "modest");
  loop_.Advance(absl::Milliseconds(1100));
  EXPECT_THAT(SentUrls(), ElementsAre(RequestFor(0).url, RequestFor(1).url, RequestFor(2).url,
                                      RequestFor(100).url));
}

TEST_F(PacedClientTest, WhoIsCancelledWhileWaitingIsNotSent) {
  Send(1);
  Send(2);
  Ticket ticket = Send(3);
  ticket.Cancel();
  EXPECT_EQ(ends_.size(), 1u);
  loop_.Advance(absl::Seconds(5));
  EXPECT_EQ(http_.requests.size(), 2u);
}

// It was counted for a second, and takes nobody else's count back after that.
TEST_F(PacedClientTest, WhatFailsUnsentAfterASecondGivesBackNothing) {
  for (int i = 0; i < 2; ++i) Send(i);
  loop_.Advance(absl::Milliseconds(1100));
  for (int i = 2; i < 4; ++i) Send(i);
  const TransportFailure unsent{TransportFailure::Kind::kConnect, "refused", /*sendings=*/0};
  for (size_t i = 0; i < 2; ++i) http_.End(i, unsent);
  Send(4);
  EXPECT_EQ(http_.requests.size(), 4u);
  http_.End(2, unsent);
  Send(5);
  EXPECT_EQ(http_.requests.size(), 4u);  // behind the other
  loop_.Advance(absl::ZeroDuration());
  EXPECT_EQ(client_.stats().waiting.load(), 2);
}

// As when the loop stops: then what waits runs once more, and nothing after it.
TEST_F(PacedClientTest, WhatNeverLeftTakesNobodysTurn) {
  for (int i = 0; i < 100; ++i) Send(i);
  http_.at_once =
      TransportFailure{TransportFailure::Kind::kStopped, "shutting down", /*sendings=*/0};
  loop_.Advance(absl::Milliseconds(1100));
  EXPECT_EQ(client_.stats().waiting.load(), 0);
  EXPECT_EQ(ends_.size(), 98u);
}

}  // namespace
}  // namespace pcap_gateway
