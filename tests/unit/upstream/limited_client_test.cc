#include "service/upstream/limited_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;

class LimitedClientTest : public testing::Test {
 protected:
  Ticket Ask(int resource, bool background = false) {
    HttpRequest request = RequestFor(resource);
    request.background = background;
    return client_.Send(std::move(request), [this, resource](HttpResult result) {
      ends_.push_back(std::to_string(resource) + ": " + EndOf(result));
    });
  }
  std::string SentUrl(size_t number) const { return http_.requests.at(number).url; }

  FakeClock clock_;
  FakeHttpClient http_;
  LimitedClient client_{http_, {.most_in_flight = 1, .most_waiting = 2}, clock_};
  std::vector<std::string> ends_;
};

TEST_F(LimitedClientTest, SendsTheNextWhenOneEnds) {
  Ask(1);
  Ask(2);
  EXPECT_EQ(http_.requests.size(), 1u);
  http_.End(Answered(200));
  ASSERT_EQ(http_.requests.size(), 2u);
  http_.End(Answered(404));
  EXPECT_THAT(ends_, ElementsAre("1: 200", "2: 404"));
}

TEST_F(LimitedClientTest, AFullQueueAnswersAtOnce) {
  for (int i = 1; i <= 4; ++i) Ask(i);
  EXPECT_THAT(ends_, ElementsAre("4: withheld"));
  EXPECT_EQ(client_.stats().refused.Value(), 1u);
}

TEST_F(LimitedClientTest, CallsGoBeforeRefreshes) {
  Ask(1);
  Ask(2, /*background=*/true);
  Ask(3);
  http_.End(Answered(200));
  EXPECT_EQ(SentUrl(1), RequestFor(3).url);
  http_.End(Answered(200));
  EXPECT_EQ(SentUrl(2), RequestFor(2).url);
}

TEST_F(LimitedClientTest, WaitingIsPartOfTheTimeout) {
  Ask(1);
  Ask(2);
  Ask(3);
  clock_.Advance(absl::Seconds(10));
  http_.End(Answered(200));
  EXPECT_EQ(http_.requests[1].timeout, absl::Seconds(20));
  clock_.Advance(absl::Seconds(20));
  http_.End(Answered(200));
  EXPECT_EQ(http_.requests.size(), 2u);
  EXPECT_THAT(ends_, ElementsAre("1: 200", "2: 200",
                                 "3: " + EndOf(FailedWith(TransportFailure::Kind::kTimeout))));
}

TEST_F(LimitedClientTest, WhatAllHaveLeftWhenItsTurnComesIsNotSentAndARefreshIs) {
  const auto ask_until = [this](int resource, bool background) {
    auto deadline = std::make_shared<LatestDeadline>(absl::InfiniteFuture());
    HttpRequest request = RequestFor(resource);
    request.deadline = deadline;
    request.background = background;
    client_.Send(std::move(request), [this, resource](HttpResult result) {
      ends_.push_back(std::to_string(resource) + ": " + EndOf(result));
    });
    return deadline;
  };
  const auto first = ask_until(1, false);
  first->Reset();  // it is under way, and goes on
  ask_until(2, false)->Reset();
  ask_until(3, true)->Reset();
  http_.End(Answered(200));
  ASSERT_EQ(http_.requests.size(), 2u);
  EXPECT_EQ(SentUrl(1), RequestFor(3).url);
  EXPECT_THAT(ends_,
              ElementsAre("1: 200", "2: " + EndOf(FailedWith(TransportFailure::Kind::kCancelled))));
  http_.End(Answered(200));
  // Nor where there is no need to wait.
  Ask(4);
  http_.End(Answered(200));
  auto nobody = std::make_shared<LatestDeadline>(absl::InfinitePast());
  HttpRequest request = RequestFor(5);
  request.deadline = nobody;
  client_.Send(std::move(request), [](HttpResult) {});
  EXPECT_EQ(http_.requests.size(), 3u);
}

TEST_F(LimitedClientTest, WhoLeavesBeforeItsTurnIsNotSent) {
  Ask(1);
  Ticket second = Ask(2);
  Ticket third = Ask(3);
  second.Cancel();
  EXPECT_THAT(ends_, ElementsAre("2: " + EndOf(FailedWith(TransportFailure::Kind::kCancelled))));
  http_.End(Answered(200));
  EXPECT_EQ(SentUrl(1), RequestFor(3).url);
  third.Cancel();
  EXPECT_EQ(ends_.size(), 3u);
}

TEST_F(LimitedClientTest, WhoAsksAnewAtItsEndDoesNotOvertake) {
  client_.Send(RequestFor(1), [this](HttpResult) { Ask(9); });
  Ask(2);
  http_.End(Answered(200));
  EXPECT_EQ(SentUrl(1), RequestFor(2).url);
}

TEST(LimitedClientQueue, OfRequestsThatEndAtOnceIsNoDeepRecursion) {
  FakeClock clock;
  FakeHttpClient http;
  LimitedClient client(http, {.most_in_flight = 1, .most_waiting = 200'000}, clock);
  int ended = 0;
  for (int i = 0; i < 200'000; ++i) client.Send(RequestFor(i), [&](HttpResult) { ++ended; });
  http.at_once = Withheld{Withheld::Kind::kOverBudget, absl::Seconds(1)};
  http.End(Answered(200));
  EXPECT_EQ(ended, 200'000);
}

}  // namespace
}  // namespace pcap_gateway
