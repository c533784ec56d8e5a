#include "service/upstream/budgeted_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"

namespace pcap_gateway {
namespace {

class BudgetedClientTest : public testing::Test {
 protected:
  // How a request ends that ends at once.
  std::string Ask(HttpRequest request) {
    std::string end = "under way";
    client_.Send(std::move(request), [&end, this](HttpResult result) {
      end = EndOf(result);
      if (const auto* withheld = std::get_if<Withheld>(&result)) {
        wait_ = withheld->retry_after;
        place_kept_ = withheld->place_kept;
      }
    });
    return end;
  }

  // Another thread asks, and no loop turns.
  std::vector<BudgetView> ViewsOf() {
    return std::async(std::launch::async, [this] { return client_.Views(100'000); }).get();
  }

  FakeClock clock_;
  FakeHttpClient http_;
  BudgetedClient client_{http_, {.limit = 3, .reserve = 1}, nullptr, clock_};
  absl::Duration wait_;
  bool place_kept_ = false;
};

TEST_F(BudgetedClientTest, WithholdsWhatWouldBreakTheLimit) {
  http_.at_once = Answered(200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask(RequestFor(i)), "200");
  clock_.Advance(absl::Seconds(20));
  EXPECT_EQ(Ask(RequestFor(3)), "withheld");
  EXPECT_EQ(http_.requests.size(), 3u);
  EXPECT_TRUE(place_kept_);
  clock_.Advance(wait_);
  EXPECT_EQ(Ask(RequestFor(3)), "200");
}

TEST_F(BudgetedClientTest, WhatNeverLeftIsGivenBack) {
  http_.at_once = TransportFailure{TransportFailure::Kind::kConnect, "refused", /*sendings=*/0};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Ask(RequestFor(i)), EndOf(*http_.at_once));
  http_.at_once = Answered(200);
  EXPECT_EQ(Ask(RequestFor(1)), "200");
}

TEST_F(BudgetedClientTest, WhatWasSentAgainIsCharged) {
  HttpAnswer answer;
  answer.status = 200;
  answer.sendings = 3;
  http_.at_once = answer;
  EXPECT_EQ(Ask(RequestFor(1)), "200");
  EXPECT_EQ(Ask(RequestFor(2)), "withheld");
}

TEST_F(BudgetedClientTest, UnknownCredentialsMakeNobodysCountBeginAnew) {
  http_.at_once = Answered(200);
  for (int i = 0; i < 3; ++i) Ask(RequestFor(i));
  http_.at_once = Answered(401);
  for (int i = 0; i < 20'001; ++i) {
    HttpRequest request = RequestFor(i);
    request.credential = TestCredential(absl::StrCat("garbage-", i), Credential::Owner::kCaller);
    EXPECT_EQ(Ask(std::move(request)), "401");
  }
  http_.at_once = Answered(200);
  EXPECT_EQ(Ask(RequestFor(3)), "withheld");
  // Nor is what the others had kept for ever.
  EXPECT_LE(ViewsOf().size(), 10'100u);
}

TEST_F(BudgetedClientTest, EachCredentialHasABudgetOfItsOwn) {
  http_.at_once = Answered(200);
  for (int i = 0; i < 4; ++i) Ask(RequestFor(i));
  HttpRequest request = RequestFor(4);
  request.credential = TestCredential("another");
  EXPECT_EQ(Ask(std::move(request)), "200");
}

TEST_F(BudgetedClientTest, RefreshesLeaveTheReserve) {
  http_.at_once = Answered(200);
  HttpRequest refresh = RequestFor(1);
  refresh.background = true;
  EXPECT_EQ(Ask(refresh), "200");
  EXPECT_EQ(Ask(refresh), "200");
  EXPECT_EQ(Ask(refresh), "withheld");
  EXPECT_EQ(Ask(RequestFor(1)), "200");
  EXPECT_EQ(client_.stats().withheld_background.Value(), 1u);
}

TEST_F(BudgetedClientTest, TellsOthersWhatIsLeft) {
  http_.at_once = Answered(200);
  Ask(RequestFor(1));
  HttpRequest request = RequestFor(2);
  request.credential = TestCredential("another", Credential::Owner::kCaller);
  const Partition another = request.credential->partition();
  Ask(std::move(request));
  http_.at_once = Answered(429, "30");
  Ask(RequestFor(3));
  const std::vector<BudgetView> seen = ViewsOf();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].owner, Credential::Owner::kGateway);
  EXPECT_EQ(seen[0].left, 0);
  EXPECT_EQ(seen[0].blocked_until, clock_.Now() + absl::Seconds(30));
  ASSERT_EQ(seen[0].callers.size(), 1u);
  EXPECT_EQ(seen[0].callers[0].name, "ipv4:10.1.2.3");
  EXPECT_EQ(seen[0].callers[0].spent, 2);
  EXPECT_EQ(seen[1].partition, another);
  EXPECT_EQ(seen[1].owner, Credential::Owner::kCaller);
  EXPECT_EQ(seen[1].limit, 3);
  EXPECT_EQ(seen[1].left, 2);
  EXPECT_EQ(seen[1].blocked_until, absl::InfinitePast());
}

TEST_F(BudgetedClientTest, TellsOthersWhileRequestsComeAndGo) {
  http_.at_once = Answered(200);
  std::atomic<bool> over = false;
  auto looks = std::async(std::launch::async, [&] {
    int seen = 0;
    while (!over) seen = std::max(seen, static_cast<int>(client_.Views(10).size()));
    return seen;
  });
  for (int i = 0; i < 2000; ++i) {
    HttpRequest request = RequestFor(i);
    request.credential =
        TestCredential("tenant" + std::to_string(i % 20), Credential::Owner::kCaller);
    Ask(std::move(request));
  }
  EXPECT_EQ(client_.Views(10).size(), 10u);
  over = true;
  EXPECT_LE(looks.get(), 10);
}

TEST_F(BudgetedClientTest, LearnsFromAnswers) {
  http_.at_once = Answered(429, "30");
  EXPECT_EQ(Ask(RequestFor(1)), "429");
  EXPECT_EQ(Ask(RequestFor(2)), "withheld");
  EXPECT_GE(wait_, absl::Seconds(30));
  EXPECT_LE(wait_, absl::Seconds(33));  // when the next bucket begins
  EXPECT_EQ(client_.stats().blocked.Value(), 1u);
}

TEST_F(BudgetedClientTest, CountsWhatCloudflareMayNotHaveCountedYet) {
  for (int i = 1; i <= 2; ++i) client_.Send(RequestFor(i), [](HttpResult) {});
  HttpAnswer answer;
  answer.status = 200;
  answer.ratelimit = R"("default";r=1;t=30)";  // which the other one will have used up
  http_.End(0, answer);
  EXPECT_EQ(Ask(RequestFor(3)), "withheld");
}

TEST_F(BudgetedClientTest, ADownloadThatHasBegunHasFoundOut) {
  http_.at_once = Answered(429, "1");
  EXPECT_EQ(Ask(RequestFor(1)), "429");
  clock_.Advance(absl::Seconds(2));
  http_.at_once.reset();
  client_.Send(DownloadOf(2), [](HttpResult) {});
  http_.at_once = Answered(200);
  EXPECT_EQ(Ask(RequestFor(3)), "withheld");
  http_.BeginContent();
  clock_.Advance(wait_);
  EXPECT_EQ(Ask(RequestFor(3)), "200");
}

TEST_F(BudgetedClientTest, WhatADownloadWasToldIsOldWhenItEnds) {
  client_.Send(DownloadOf(1), [](HttpResult) {});
  HttpAnswer answer{.status = 200, .ratelimit = R"("default";r=0;t=30)"};
  http_.BeginContent(answer);
  http_.at_once = Answered(200);
  EXPECT_EQ(Ask(RequestFor(2)), "withheld");
  clock_.Advance(absl::Minutes(10));
  answer.sunk_bytes = 1;
  http_.End(0, answer);
  EXPECT_EQ(Ask(RequestFor(2)), "200");
}

// A ledger whose word the test says, later.
class FakeLedger final : public Ledger {
 public:
  void Spend(LedgerEntry entry, Done done) override {
    entries.push_back(std::move(entry));
    pending_.push_back(std::move(done));
  }
  void Over(const Credential&, absl::string_view, std::optional<int64_t> granted_in,
            int sendings) override {
    over.emplace_back(granted_in, sendings);
  }
  void Block(const Credential&, absl::Duration how_long) override { blocks.push_back(how_long); }

  void Say(std::optional<LedgerWord> word) {
    Done done = std::move(pending_.front());
    pending_.pop_front();
    std::move(done)(word);
  }

  std::vector<LedgerEntry> entries;
  std::vector<std::pair<std::optional<int64_t>, int>> over;
  std::vector<absl::Duration> blocks;

 private:
  std::deque<Done> pending_;
};

class BudgetWithLedgerTest : public testing::Test {
 protected:
  Ticket Ask(int resource, bool background = false) {
    HttpRequest request = RequestFor(resource);
    request.background = background;
    return client_.Send(std::move(request), [this](HttpResult result) {
      ends_.push_back(EndOf(result));
      if (const auto* withheld = std::get_if<Withheld>(&result)) wait_ = withheld->retry_after;
    });
  }
  void Say(std::optional<LedgerWord> word) { ledger_.Say(word); }

  FakeClock clock_;
  FakeHttpClient http_;
  FakeLedger ledger_;
  BudgetedClient client_{http_, {.limit = 12, .reserve = 2}, &ledger_, clock_};
  std::vector<std::string> ends_;
  absl::Duration wait_;
};

TEST_F(BudgetWithLedgerTest, WhatTheLedgerGrantsIsSent) {
  Ask(1);
  EXPECT_THAT(http_.requests, testing::IsEmpty());
  const LedgerEntry& entry = ledger_.entries.at(0);
  EXPECT_EQ(entry.question, RequestFor(1).url);
  EXPECT_EQ(entry.limit, 12);
  EXPECT_EQ(entry.reserve, 2);
  EXPECT_EQ(entry.window, absl::Minutes(5));
  EXPECT_FALSE(entry.background);
  Say(LedgerWord{.left = 5});
  http_.End(Answered(200));
  EXPECT_THAT(ends_, testing::ElementsAre("200"));
}

TEST_F(BudgetWithLedgerTest, HearsNothingOfCredentialsThatCloudflareDoesNotKnow) {
  // A malformed one is told with 400, as faults of a call are.
  for (const int status : {400, 401, 403, 400}) {
    http_.at_once = Answered(status);
    Ask(static_cast<int>(http_.requests.size()));
    Say(LedgerWord{.left = 5, .granted_in = status});
  }
  EXPECT_THAT(ledger_.over, testing::ElementsAre(testing::Pair(403, 1), testing::Pair(400, 1)));
}

TEST_F(BudgetWithLedgerTest, WhatItRefusesIsWithheldForAsLong) {
  Ask(1, /*background=*/true);
  EXPECT_TRUE(ledger_.entries.at(0).background);
  Say(LedgerWord{.refusal = Refusal{.wait = absl::Seconds(7)}});
  EXPECT_THAT(ends_, testing::ElementsAre("withheld"));
  EXPECT_EQ(wait_, absl::Seconds(7));
  EXPECT_EQ(client_.stats().withheld_background.Value(), 1u);
  EXPECT_THAT(http_.requests, testing::IsEmpty());
}

TEST_F(BudgetWithLedgerTest, WhileItCannotBeAskedEachReplicaKeepsToItsPart) {
  http_.at_once = Answered(200);
  Ask(1);
  Say(LedgerWord{.left = 6, .replicas = 2});
  // 6 were left for both: 3 are this one's.
  for (int i = 2; i < 6; ++i) {
    Ask(i);
    Say(std::nullopt);
  }
  EXPECT_EQ(http_.requests.size(), 4u);
  EXPECT_EQ(std::count(ends_.begin(), ends_.end(), "withheld"), 1);
  EXPECT_EQ(client_.stats().alone.Value(), 4u);
  // When all that has expired, half of the limit is.
  clock_.Advance(absl::Minutes(10));
  for (int i = 6; i < 13; ++i) {
    Ask(i);
    Say(std::nullopt);
  }
  EXPECT_EQ(http_.requests.size(), 10u);
  EXPECT_EQ(std::count(ends_.begin(), ends_.end(), "withheld"), 2);
}

TEST_F(BudgetWithLedgerTest, ABlockIsToldToTheOthers) {
  Ask(1);
  Say(LedgerWord{.left = 5});
  http_.End(Answered(429, "17"));
  EXPECT_THAT(ledger_.blocks, testing::ElementsAre(absl::Seconds(17)));
  // And nobody is asked while it lasts.
  Ask(2);
  EXPECT_EQ(ledger_.entries.size(), 1u);
  EXPECT_GE(wait_, absl::Seconds(17));
}

TEST_F(BudgetWithLedgerTest, ABlockThatBeganInTheMeantimeHoldsBackWhatTheLedgerGrants) {
  Ask(1);
  Say(LedgerWord{.left = 5});
  Ask(2);
  http_.End(Answered(429, "17"));
  Say(LedgerWord{.left = 5});
  EXPECT_THAT(ends_, testing::ElementsAre("429", "withheld"));
  EXPECT_EQ(http_.requests.size(), 1u);
}

TEST_F(BudgetWithLedgerTest, CloudflaresCountStandsAgainstIt) {
  Ask(1);
  Say(LedgerWord{.left = 4});
  HttpAnswer answer;
  answer.status = 200;
  answer.ratelimit = R"("default";r=0;t=60)";
  http_.End(answer);
  // Nobody is asked while it lasts.
  Ask(2);
  EXPECT_EQ(ledger_.entries.size(), 1u);
  EXPECT_EQ(http_.requests.size(), 1u);
}

TEST_F(BudgetWithLedgerTest, ItsOwnCountStandsAgainstALedgerThatHasForgotten) {
  http_.at_once = Answered(200);
  for (int i = 0; i < 20; ++i) {
    Ask(i);
    Say(LedgerWord{.left = 12, .granted_in = i});
  }
  EXPECT_EQ(http_.requests.size(), 12u);
  EXPECT_EQ(std::count(ends_.begin(), ends_.end(), "withheld"), 8);
  // What it was granted in vain it gives back.
  EXPECT_EQ(std::count(ledger_.over.begin(), ledger_.over.end(),
                       std::pair<std::optional<int64_t>, int>(19, 0)),
            1);
}

TEST_F(BudgetWithLedgerTest, TellsTheLedgerWhatBecameOfEachRequest) {
  Ask(1);
  Say(LedgerWord{.left = 5, .granted_in = 77});
  http_.End(Answered(200));
  Ask(2);
  Say(LedgerWord{.left = 5, .granted_in = 78});
  http_.End(TransportFailure{TransportFailure::Kind::kResolve, "no such name", /*sendings=*/0});
  Ask(3);
  Say(std::nullopt);
  http_.End(Answered(500));
  using Over = std::pair<std::optional<int64_t>, int>;
  EXPECT_THAT(ledger_.over, testing::ElementsAre(Over(77, 1), Over(78, 0), Over(std::nullopt, 1)));
}

TEST_F(BudgetWithLedgerTest, ACancelBeforeItsWordSendsNothing) {
  Ticket ticket = Ask(1);
  ticket.Cancel();
  EXPECT_THAT(ends_, testing::SizeIs(1));
  Say(LedgerWord{.left = 5, .granted_in = 7});
  EXPECT_THAT(ledger_.over, testing::ElementsAre(testing::Pair(testing::Optional(7), 0)));
  EXPECT_THAT(http_.requests, testing::IsEmpty());
  EXPECT_THAT(ends_, testing::SizeIs(1));
}

TEST_F(BudgetWithLedgerTest, ACancelAfterItEndsTheRequest) {
  Ticket ticket = Ask(1);
  Say(LedgerWord{.left = 5});
  ticket.Cancel();
  EXPECT_THAT(ends_, testing::ElementsAre(EndOf(FailedWith(TransportFailure::Kind::kCancelled))));
}

}  // namespace
}  // namespace pcap_gateway
