#include "service/upstream/retrying_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/fake_loop.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

class RetryingClientTest : public testing::Test {
 protected:
  Ticket Ask(HttpRequest request = RequestFor(1)) {
    return client_.Send(std::move(request),
                        [this](HttpResult result) { ends_.push_back(EndOf(result)); });
  }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  FakeHttpClient http_;
  RetryingClient client_{loop_, http_, RetryPolicy{}, [] { return 1.0; }, clock_};
  std::vector<std::string> ends_;
};

TEST_F(RetryingClientTest, RepeatsUntilItSucceeds) {
  Ask();
  http_.End(Answered(503));
  EXPECT_EQ(loop_.next_in(), absl::Milliseconds(100));
  loop_.Advance(absl::Milliseconds(100));
  http_.End(FailedWith(Kind::kBroken));
  EXPECT_EQ(loop_.next_in(), absl::Milliseconds(200));
  loop_.Advance(absl::Milliseconds(200));
  http_.End(Answered(200));
  EXPECT_THAT(ends_, ElementsAre("200"));
  EXPECT_EQ(http_.requests.size(), 3u);
  EXPECT_EQ(client_.stats().retries.Value(), 2u);
}

TEST_F(RetryingClientTest, GivesTheLastFailureWhenItHasTriedEnough) {
  http_.at_once = Answered(503);
  Ask();
  loop_.Advance(absl::Minutes(1));
  EXPECT_THAT(ends_, ElementsAre("503"));
  EXPECT_EQ(http_.requests.size(), 3u);
  EXPECT_TRUE(loop_.idle());
}

TEST_F(RetryingClientTest, DoesNotAskForWhatCannotComeInTime) {
  Ask();
  clock_.Advance(absl::Milliseconds(50));
  http_.End(Answered(200));
  // The retry would be sent after 100 ms; an answer has never taken less than 50.
  for (const int deadline : {149, 151}) {
    HttpRequest request = RequestFor(1);
    request.deadline =
        std::make_shared<LatestDeadline>(clock_.Now() + absl::Milliseconds(deadline));
    Ask(std::move(request));
    http_.End(Answered(503));
    EXPECT_EQ(loop_.idle(), deadline == 149);
  }
}

TEST_F(RetryingClientTest, AfterAStallItTakesAFreshConnection) {
  http_.at_once = FailedWith(Kind::kStalled);
  Ask();
  loop_.Advance(absl::Milliseconds(100));
  http_.at_once = FailedWith(Kind::kBroken);
  loop_.Advance(absl::Minutes(1));
  ASSERT_EQ(http_.requests.size(), 3u);
  EXPECT_FALSE(http_.requests[0].fresh_connection);
  EXPECT_TRUE(http_.requests[1].fresh_connection);
}

TEST_F(RetryingClientTest, DoesNotRepeatWhatStaysAsItIs) {
  http_.at_once = Answered(404);
  Ask();
  EXPECT_THAT(ends_, ElementsAre("404"));
  EXPECT_TRUE(loop_.idle());
}

TEST_F(RetryingClientTest, DoesNotRepeatWhatIsNotIdempotentOrNobodyWaitsFor) {
  http_.at_once = Answered(503);
  HttpRequest create = RequestFor(1);
  create.idempotent = false;
  Ask(create);
  HttpRequest refresh = RequestFor(1);
  refresh.background = true;
  Ask(refresh);
  EXPECT_THAT(ends_, ElementsAre("503", "503"));
  EXPECT_EQ(http_.requests.size(), 2u);
}

TEST_F(RetryingClientTest, DoesNotRepeatWhatASinkHasBegunToTake) {
  TransportFailure cut_off{Kind::kBroken, "cut off"};
  cut_off.sunk_bytes = 1;
  http_.at_once = cut_off;
  Ask();
  EXPECT_EQ(ends_.size(), 1u);
  EXPECT_TRUE(loop_.idle());
}

TEST_F(RetryingClientTest, ARefreshThatACallerJoinsIsRepeated) {
  HttpRequest refresh = RequestFor(1);
  refresh.background = true;
  const auto deadline = std::make_shared<LatestDeadline>(absl::InfinitePast());
  refresh.deadline = deadline;
  Ask(refresh);
  deadline->Extend(clock_.Now() + absl::Seconds(9));
  http_.End(Answered(503));
  EXPECT_FALSE(loop_.idle());
}

TEST_F(RetryingClientTest, AllAttemptsTogetherTakeNoLongerThanTheTimeout) {
  HttpRequest request = RequestFor(1);
  request.timeout = absl::Seconds(1);
  Ask(request);
  EXPECT_EQ(http_.requests[0].timeout, absl::Seconds(1));
  loop_.Advance(absl::Milliseconds(500));
  http_.End(Answered(503));
  loop_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(http_.requests[1].timeout, absl::Milliseconds(400));
  loop_.Advance(absl::Milliseconds(200));
  http_.End(Answered(503));  // 200 ms left, the backoff is as long
  EXPECT_THAT(ends_, ElementsAre("503"));
}

TEST_F(RetryingClientTest, AnAnswerThatCannotArriveInTimeIsNotAskedFor) {
  HttpRequest request = RequestFor(1);
  const auto deadline = std::make_shared<LatestDeadline>(clock_.Now() + absl::Milliseconds(50));
  request.deadline = deadline;
  Ask(request);
  http_.End(Answered(503));
  EXPECT_THAT(ends_, ElementsAre("503"));
  Ask(request);
  deadline->Extend(clock_.Now() + absl::Seconds(1));  // somebody came who waits for longer
  http_.End(Answered(503));
  EXPECT_FALSE(loop_.idle());
}

TEST_F(RetryingClientTest, CancellingEndsTheAttempt) {
  Ticket ticket = Ask();
  ticket.Cancel();
  EXPECT_THAT(ends_, ElementsAre(EndOf(FailedWith(Kind::kCancelled))));
  EXPECT_TRUE(loop_.idle());
}

TEST_F(RetryingClientTest, CancellingEndsTheWaitForTheNextOne) {
  Ticket ticket = Ask();
  http_.End(Answered(503));
  ticket.Cancel();
  EXPECT_THAT(ends_, ElementsAre(EndOf(FailedWith(Kind::kCancelled))));
  EXPECT_TRUE(loop_.idle());
  EXPECT_EQ(http_.requests.size(), 1u);
}

TEST_F(RetryingClientTest, ARetryThatIsWithheldLeavesTheFailureBeforeIt) {
  Ask();
  http_.End(Answered(503));
  http_.at_once = Withheld{Withheld::Kind::kCircuitOpen, absl::Seconds(1)};
  loop_.Advance(absl::Seconds(1));
  EXPECT_THAT(ends_, ElementsAre("503"));
}

TEST_F(RetryingClientTest, AnOutageIsNotMultiplied) {
  http_.at_once = Answered(503);
  for (int i = 0; i < 1000; ++i) {
    Ask();
    loop_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(ends_.size(), 1000u);
  EXPECT_LE(http_.requests.size(), 1220u);
  EXPECT_GT(client_.stats().over_allowance.Value(), 500u);
}

}  // namespace
}  // namespace pcap_gateway
