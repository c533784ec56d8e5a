#include "service/upstream/breaker_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;
using testing::ElementsAre;

class BreakerClientTest : public testing::Test {
 protected:
  void Ask(const std::optional<HttpResult>& end, const std::string& token = "a-token") {
    http_.at_once = end;
    HttpRequest request = RequestFor(1);
    request.credential = *Credential::FromToken(Credential::Owner::kCaller, token);
    client_.Send(std::move(request), [this](HttpResult result) { ends_.push_back(EndOf(result)); });
  }
  // An answer, or the end of the wait for one, after so long.
  static HttpResult After(absl::Duration out, HttpResult end, int sendings = 1) {
    if (auto* const answer = std::get_if<HttpAnswer>(&end)) answer->out = out;
    if (auto* const failure = std::get_if<TransportFailure>(&end)) {
      failure->out = out;
      failure->sendings = sendings;
    }
    return end;
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
  Ask(FailedWith(Kind::kBroken));
  clock_.Advance(absl::Seconds(1));
  for (int i = 0; i < 3; ++i) Ask(Answered(200));
  EXPECT_EQ(http_.requests.size(), 5u);
  EXPECT_EQ(client_.stats().state, static_cast<int>(CircuitBreaker::State::kClosed));
}

TEST_F(BreakerClientTest, ADownloadThatHasBegunClosesTheCircuits) {
  for (const auto& failure : {FailedWith(Kind::kConnect), Answered(503)}) {
    for (int i = 0; i < 2; ++i) {
      http_.at_once = failure;
      client_.Send(DownloadOf(1), [](HttpResult) {});
    }
    clock_.Advance(absl::Seconds(1));
    http_.at_once.reset();
    client_.Send(DownloadOf(1), [](HttpResult) { FAIL() << "it has no end"; });
    EXPECT_EQ(client_.stats().state, static_cast<int>(CircuitBreaker::State::kHalfOpen));
    http_.BeginContent();
    EXPECT_EQ(client_.stats().state, static_cast<int>(CircuitBreaker::State::kClosed));
  }
}

TEST_F(BreakerClientTest, TheEndOfADownloadTellsNothingOfNow) {
  client_.Send(DownloadOf(1), [](HttpResult) {});
  http_.BeginContent();
  for (int i = 0; i < 2; ++i) Ask(Answered(503));
  EXPECT_EQ(client_.stats().state, static_cast<int>(CircuitBreaker::State::kOpen));
  http_.End(0, Sunk());
  EXPECT_EQ(client_.stats().state, static_cast<int>(CircuitBreaker::State::kOpen));
}

TEST_F(BreakerClientTest, WhatSaysNothingLeavesTheProbeToAnother) {
  for (int i = 0; i < 3; ++i) {
    client_.Send(RequestFor(i), [](HttpResult) {});
  }
  for (int i = 0; i < 2; ++i) Ask(FailedWith(Kind::kConnect));
  clock_.Advance(absl::Seconds(1));
  const size_t probe = http_.requests.size();
  for (int i = 0; i < 3; ++i) {
    Ask(std::nullopt);
    http_.End(static_cast<size_t>(i), FailedWith(Kind::kCancelled));
  }
  EXPECT_EQ(http_.requests.size(), probe + 1);
  // The probe's own leaving makes room for the next one.
  http_.End(probe, FailedWith(Kind::kCancelled));
  Ask(std::nullopt);
  EXPECT_EQ(http_.requests.size(), probe + 2);
}

TEST_F(BreakerClientTest, ADownloadThatWasTheProbeEndsNoLaterOne) {
  const auto open = [this] {
    for (int i = 0; i < 2; ++i) Ask(FailedWith(Kind::kConnect));
    clock_.Advance(absl::Seconds(1));
    http_.at_once.reset();
  };
  open();
  const size_t first = http_.requests.size();
  client_.Send(DownloadOf(1), [](HttpResult) {});
  http_.BeginContent();
  open();
  Ask(std::nullopt);
  const size_t probes = http_.requests.size();
  // Its reader leaves.
  auto left = std::get<TransportFailure>(FailedWith(Kind::kCancelled));
  left.sunk_bytes = 1;
  http_.End(first, left);
  Ask(std::nullopt);
  EXPECT_EQ(http_.requests.size(), probes) << "two probes at once";
}

TEST_F(BreakerClientTest, HowLongAReaderTakesIsNoSign) {
  for (int i = 0; i < 50; ++i) Ask(After(absl::Milliseconds(20), Answered(200)));
  // Nor does it make the next answers seem early.
  http_.at_once = After(absl::Hours(1), Sunk());
  for (int i = 0; i < 50; ++i) client_.Send(DownloadOf(1), [](HttpResult) {});
  for (const Kind end : {Kind::kCancelled, Kind::kTimeout}) {
    auto left = std::get<TransportFailure>(After(absl::Hours(1), FailedWith(end)));
    left.sunk_bytes = 1;
    http_.at_once = left;
    for (int i = 0; i < 2; ++i) client_.Send(DownloadOf(1), [](HttpResult) {});
  }
  EXPECT_EQ(client_.stats().state, static_cast<int>(CircuitBreaker::State::kClosed));
  for (int i = 0; i < 3; ++i) Ask(After(absl::Milliseconds(300), FailedWith(Kind::kTimeout)));
  EXPECT_EQ(ends_.back(), "withheld");
}

TEST_F(BreakerClientTest, AClientErrorIsTheWordOfAnUpstreamThatIsWell) {
  for (const int status : {400, 401, 403, 404, 429}) {
    Ask(Answered(500));
    Ask(Answered(status));
  }
  EXPECT_EQ(http_.requests.size(), 10u);
}

TEST_F(BreakerClientTest, OpensForAnUpstreamThatHangsHoweverTheWaitForItEnds) {
  for (const Kind end : {Kind::kTimeout, Kind::kCancelled, Kind::kStalled}) {
    const std::string token = absl::StrCat("token-", static_cast<int>(end));
    for (int i = 0; i < 3; ++i) Ask(After(absl::Seconds(2), FailedWith(end)), token);
    EXPECT_EQ(ends_.back(), "withheld");
  }
}

TEST_F(BreakerClientTest, ACallerWithoutPatienceIsNoSign) {
  for (int i = 0; i < 1000; ++i) {
    Ask(After(absl::Milliseconds(5), FailedWith(Kind::kTimeout)));
    Ask(After(absl::Milliseconds(1), FailedWith(Kind::kCancelled)));
  }
  EXPECT_EQ(http_.requests.size(), 2000u);
}

TEST_F(BreakerClientTest, OverdueIsSaidOfWhatTheUpstreamUsuallyTakes) {
  for (int i = 0; i < 50; ++i) Ask(After(absl::Seconds(1), Answered(200)));
  for (int i = 0; i < 10; ++i) Ask(After(absl::Seconds(2), FailedWith(Kind::kTimeout)));
  EXPECT_EQ(client_.stats().withheld.Value(), 0u);
  for (int i = 0; i < 500; ++i) Ask(After(absl::Milliseconds(20), Answered(200)));
  for (int i = 0; i < 3; ++i) Ask(After(absl::Milliseconds(300), FailedWith(Kind::kTimeout)));
  EXPECT_EQ(ends_.back(), "withheld");
}

TEST_F(BreakerClientTest, WhatWaitedInOurQueueOrLackedOurOwnMeansIsNoSign) {
  for (int i = 0; i < 10; ++i) {
    Ask(TransportFailure{Kind::kTimeout, "waited for its turn", /*sendings=*/0});
    Ask(After(absl::Seconds(20), FailedWith(Kind::kOwnLimits)));
  }
  EXPECT_EQ(http_.requests.size(), 20u);
}

TEST_F(BreakerClientTest, AnswersToOneCredentialDoNotRefuseAnother) {
  for (int i = 0; i < 3; ++i) Ask(Answered(503), "tenant-a");
  EXPECT_EQ(ends_.back(), "withheld");
  for (int i = 0; i < 3; ++i) Ask(After(absl::Seconds(9), FailedWith(Kind::kTimeout)), "tenant-c");
  EXPECT_EQ(ends_.back(), "withheld");
  for (int i = 0; i < 100; ++i) {
    Ask(Answered(503), "tenant-a");
    Ask(Answered(200), "tenant-b");
    EXPECT_EQ(ends_.back(), "200");
  }
}

TEST_F(BreakerClientTest, ConnectionsAreEverybodys) {
  Ask(FailedWith(Kind::kConnect), "tenant-a");
  Ask(After(absl::Seconds(2), FailedWith(Kind::kTimeout), /*sendings=*/0), "tenant-b");
  Ask(Answered(200), "tenant-c");
  EXPECT_EQ(ends_.back(), "withheld");
}

TEST_F(BreakerClientTest, AProbeThatAnotherCircuitWithholdsLeavesTheWayToTheNext) {
  for (int i = 0; i < 2; ++i) Ask(FailedWith(Kind::kConnect), "tenant-a");
  clock_.Advance(absl::Seconds(1));
  Ask(Answered(503), "tenant-a");
  Ask(Answered(503), "tenant-a");
  Ask(Answered(200), "tenant-a");
  EXPECT_EQ(ends_.back(), "withheld");
  Ask(Answered(200), "tenant-b");
  EXPECT_EQ(ends_.back(), "200");
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
