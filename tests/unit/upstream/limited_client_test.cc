#include "service/upstream/limited_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

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

TEST_F(LimitedClientTest, WhoGivesWayMayComeBackAtOnceForTheOneItGaveWayTo) {
  LimitedClient client(http_, {.most_in_flight = 5, .most_waiting = 2}, clock_);
  const auto send_for = [&](const char* caller, HttpClient::Done done) {
    HttpRequest request = RequestFor(1);
    request.caller = std::make_shared<const std::string>(caller);
    client.Send(std::move(request), std::move(done));
  };
  const auto note = [this](std::string name) {
    return [this, name = std::move(name)](HttpResult result) {
      ends_.push_back(name + ": " + EndOf(result));
    };
  };
  // Four are in flight, and the fifth waits: the last place is for others.
  for (int i = 0; i < 5; ++i) send_for("greedy", note("greedy"));
  send_for("another", note("another"));
  send_for("greedy", [&](HttpResult result) {
    note("greedy")(std::move(result));
    send_for("newcomer", note("newcomer again"));
  });
  ASSERT_EQ(client.stats().waiting, 2);
  send_for("newcomer", note("newcomer"));
  EXPECT_THAT(ends_, ElementsAre("greedy: withheld", "newcomer again: withheld"));
  EXPECT_EQ(client.stats().waiting, 2);
  http_.End(0, Answered(200));
  http_.End(Answered(200));
  EXPECT_THAT(ends_, ElementsAre("greedy: withheld", "newcomer again: withheld", "greedy: 200",
                                 "newcomer: 200"));
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

// Many places, and callers by name; a test looks at who was sent, in order.
class FairLimitedClientTest : public testing::Test {
 protected:
  static HttpRequest RequestOf(const std::string& caller, const std::string& token = "a-token") {
    HttpRequest request = RequestFor(1);
    request.url = caller;
    request.caller = std::make_shared<const std::string>(caller);
    request.credential = *Credential::FromToken(Credential::Owner::kCaller, token);
    return request;
  }
  void Ask(HttpRequest request) {
    client_.Send(std::move(request), [this, url = request.url](HttpResult result) {
      ends_.push_back(url + ": " + EndOf(result));
    });
  }
  void Ask(const std::string& caller, int times = 1) {
    for (int i = 0; i < times; ++i) Ask(RequestOf(caller));
  }
  static HttpRequest Refresh(std::shared_ptr<const LatestDeadline> deadline = nullptr) {
    HttpRequest request = RequestFor(1);
    request.url = "refresh";
    request.background = true;
    request.deadline = std::move(deadline);
    return request;
  }
  int64_t Sent(const std::string& url) const {
    return std::count_if(http_.requests.begin(), http_.requests.end(),
                         [&](const HttpRequest& request) { return request.url == url; });
  }

  FakeClock clock_;
  FakeHttpClient http_;
  LimitedClient client_{
      http_, {.most_in_flight = 100, .most_waiting = 50, .most_refreshes_waiting = 10}, clock_};
  std::vector<std::string> ends_;
};

TEST_F(FairLimitedClientTest, WhoTakesAllItCanLeavesPlacesForTheNextAtOnce) {
  Ask("greedy", 120);
  EXPECT_GE(Sent("greedy"), 70);
  Ask("other");
  EXPECT_EQ(Sent("other"), 1);
  Ask("greedy too", 20);
  Ask("third");
  EXPECT_EQ(Sent("third"), 1);
}

TEST_F(FairLimitedClientTest, TenantsBehindOneAddressLeavePlacesForEachOther) {
  for (int i = 0; i < 120; ++i) Ask(RequestOf("proxy", "tenant-a"));
  const size_t before = http_.requests.size();
  Ask(RequestOf("proxy", "tenant-b"));
  EXPECT_EQ(http_.requests.size(), before + 1);
}

TEST_F(FairLimitedClientTest, MadeUpTokensAreNoFurtherShares) {
  for (int i = 0; i < 120; ++i) Ask(RequestOf("greedy", "token-" + std::to_string(i)));
  Ask("other", 3);
  EXPECT_EQ(Sent("other"), 3);
}

TEST_F(FairLimitedClientTest, GreedyOnesComeToHaveEqualParts) {
  Ask("a", 100);
  Ask("b", 40);
  // Each end makes room for who has fewer.
  for (size_t i = 0; i < 60; ++i) http_.End(i, Answered(200));
  const int64_t a = Sent("a") - 60;
  EXPECT_NEAR(static_cast<double>(a), static_cast<double>(Sent("b")), 25);
  EXPECT_GE(Sent("b"), 30);
}

TEST_F(FairLimitedClientTest, AFullRoomTakesFromWhoHasTheMostInIt) {
  Ask("greedy", 200);
  EXPECT_EQ(client_.stats().waiting, 50);
  ends_.clear();
  Ask("b", 30);  // some are sent, the others wait in the room of the greedy one
  EXPECT_EQ(client_.stats().waiting, 50);
  EXPECT_FALSE(ends_.empty());
  for (const std::string& end : ends_) EXPECT_EQ(end, "greedy: withheld");
  ends_.clear();
  Ask("greedy");
  EXPECT_THAT(ends_, ElementsAre("greedy: withheld"));
}

TEST_F(FairLimitedClientTest, RefreshesLeaveTheCallsTheirPlacesAndTheirRoom) {
  for (int i = 0; i < 10'000; ++i) Ask(Refresh());
  EXPECT_EQ(Sent("refresh"), 50);
  EXPECT_EQ(client_.stats().refreshes_waiting, 10);
  EXPECT_EQ(client_.stats().refused_refreshes.Value(), 10'000u - 60);
  Ask("a", 20);
  EXPECT_EQ(Sent("a"), 20);
  Ask("a", 50);
  EXPECT_EQ(client_.stats().refused.Value(), 0u);
}

TEST_F(FairLimitedClientTest, ARefreshThatIsJoinedTakesACallsTurn) {
  for (int i = 0; i < 59; ++i) Ask(Refresh());
  const auto deadline = std::make_shared<LatestDeadline>(absl::InfinitePast());
  HttpRequest last = Refresh(deadline);
  last.url = "joined";
  Ask(std::move(last));
  EXPECT_EQ(Sent("joined"), 0);
  deadline->Extend(clock_.Now() + absl::Seconds(9));
  Ask("a");
  EXPECT_EQ(Sent("joined"), 1);
}

TEST_F(FairLimitedClientTest, WhoAsksOneByOneDoesNotStarveWhoWaits) {
  LimitedClient one(http_, {.most_in_flight = 1, .most_waiting = 50}, clock_);
  one.Send(RequestOf("a"), [&](HttpResult) { one.Send(RequestOf("a"), [](HttpResult) {}); });
  one.Send(RequestOf("b"), [](HttpResult) {});
  http_.End(0, Answered(200));
  EXPECT_EQ(http_.requests.back().url, "b");
}

TEST_F(FairLimitedClientTest, FailuresTellHowLongTheyWereOut) {
  LimitedClient one(http_, {.most_in_flight = 1, .most_waiting = 50}, clock_);
  std::vector<absl::Duration> out;
  const auto note = [&](HttpResult result) {
    out.push_back(std::get<TransportFailure>(result).out);
  };
  one.Send(RequestOf("a"), note);
  one.Send(RequestOf("a"), note);
  Ticket third = one.Send(RequestOf("a"), note);
  clock_.Advance(absl::Seconds(3));
  http_.End(0, FailedWith(TransportFailure::Kind::kTimeout));
  clock_.Advance(absl::Seconds(2));
  http_.End(1, FailedWith(TransportFailure::Kind::kTimeout));
  third.Cancel();
  EXPECT_THAT(out, ElementsAre(absl::Seconds(3), absl::Seconds(2), absl::ZeroDuration()));
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
