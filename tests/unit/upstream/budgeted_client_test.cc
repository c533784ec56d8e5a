#include "service/upstream/budgeted_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <future>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/fake_loop.h"

namespace pcap_gateway {
namespace {

class BudgetedClientTest : public testing::Test {
 protected:
  // How a request ends that ends at once.
  std::string Ask(HttpRequest request) {
    std::string end = "under way";
    client_.Send(std::move(request), [&end, this](HttpResult result) {
      end = EndOf(result);
      if (const auto* withheld = std::get_if<Withheld>(&result)) wait_ = withheld->retry_after;
    });
    return end;
  }

  FakeClock clock_;
  FakeHttpClient http_;
  FakeLoop loop_{clock_};
  BudgetedClient client_{loop_, http_, {.limit = 3, .reserve = 1}, nullptr, clock_};
  absl::Duration wait_;
};

TEST_F(BudgetedClientTest, WithholdsWhatWouldBreakTheLimit) {
  http_.at_once = Answered(200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask(RequestFor(i)), "200");
  EXPECT_EQ(Ask(RequestFor(3)), "withheld");
  EXPECT_EQ(http_.requests.size(), 3u);
  clock_.Advance(wait_);
  EXPECT_EQ(Ask(RequestFor(3)), "200");
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
  // Another thread asks, as the loop's would wait for itself.
  auto views = std::async(std::launch::async, [this] { return client_.Views(10); });
  while (views.wait_for(std::chrono::seconds(0)) != std::future_status::ready) loop_.RunAll();
  const auto seen = views.get();
  ASSERT_TRUE(seen.has_value());
  ASSERT_EQ(seen->size(), 2u);
  EXPECT_EQ((*seen)[0].owner, Credential::Owner::kGateway);
  EXPECT_EQ((*seen)[0].left, 0);
  EXPECT_EQ((*seen)[0].blocked_until, clock_.Now() + absl::Seconds(30));
  EXPECT_EQ((*seen)[1].partition, another);
  EXPECT_EQ((*seen)[1].owner, Credential::Owner::kCaller);
  EXPECT_EQ((*seen)[1].limit, 3);
  EXPECT_EQ((*seen)[1].left, 2);
  EXPECT_EQ((*seen)[1].blocked_until, absl::InfinitePast());
}

TEST_F(BudgetedClientTest, DoesNotLetOthersWaitForALoopThatHangs) {
  EXPECT_FALSE(client_.Views(10).has_value());
}

TEST_F(BudgetedClientTest, LearnsFromAnswers) {
  http_.at_once = Answered(429, "30");
  EXPECT_EQ(Ask(RequestFor(1)), "429");
  EXPECT_EQ(Ask(RequestFor(2)), "withheld");
  EXPECT_EQ(wait_, absl::Seconds(30));
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

// A ledger whose word the test says, later.
class FakeLedger final : public Ledger {
 public:
  void Spend(LedgerEntry entry, Done done) override {
    entries.push_back(std::move(entry));
    pending_.push_back(std::move(done));
  }
  void Block(const Credential&, absl::Duration how_long) override { blocks.push_back(how_long); }

  void Say(std::optional<LedgerWord> word) {
    Done done = std::move(pending_.front());
    pending_.pop_front();
    std::move(done)(word);
  }

  std::vector<LedgerEntry> entries;
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
  void Say(std::optional<LedgerWord> word) {
    ledger_.Say(word);
    loop_.RunAll();
  }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  FakeHttpClient http_;
  FakeLedger ledger_;
  BudgetedClient client_{loop_, http_, {.limit = 12, .reserve = 2}, &ledger_, clock_};
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

TEST_F(BudgetWithLedgerTest, WhatItRefusesIsWithheldForAsLong) {
  Ask(1, /*background=*/true);
  EXPECT_TRUE(ledger_.entries.at(0).background);
  Say(LedgerWord{.later = absl::Seconds(7)});
  EXPECT_THAT(ends_, testing::ElementsAre("withheld"));
  EXPECT_EQ(wait_, absl::Seconds(7));
  EXPECT_EQ(client_.stats().withheld_background.Value(), 1u);
  EXPECT_THAT(http_.requests, testing::IsEmpty());
}

TEST_F(BudgetWithLedgerTest, WhileItCannotBeAskedEachReplicaKeepsToItsPart) {
  Ask(1);
  Say(LedgerWord{.left = 6, .replicas = 2});
  // 6 were left for both: 3 are this one's.
  for (int i = 2; i < 6; ++i) {
    Ask(i);
    Say(std::nullopt);
  }
  EXPECT_EQ(http_.requests.size(), 4u);
  EXPECT_THAT(ends_, testing::ElementsAre("withheld"));
  EXPECT_EQ(client_.stats().alone.Value(), 4u);
  // When all that has expired, half of the limit is.
  clock_.Advance(absl::Minutes(10));
  for (int i = 6; i < 13; ++i) {
    Ask(i);
    Say(std::nullopt);
  }
  EXPECT_EQ(http_.requests.size(), 10u);
  EXPECT_EQ(ends_.size(), 2u);
}

TEST_F(BudgetWithLedgerTest, ABlockIsToldToTheOthers) {
  Ask(1);
  Say(LedgerWord{.left = 5});
  http_.End(Answered(429, "17"));
  EXPECT_THAT(ledger_.blocks, testing::ElementsAre(absl::Seconds(17)));
  // And nobody is asked while it lasts.
  Ask(2);
  EXPECT_EQ(ledger_.entries.size(), 1u);
  EXPECT_EQ(wait_, absl::Seconds(20));  // when the next slot begins
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

TEST_F(BudgetWithLedgerTest, CloudflaresCountStandsAgainstItWhereOthersUseTheCredentialToo) {
  for (const bool others : {false, true}) {
    http_.at_once = std::nullopt;
    Ask(1);
    Say(LedgerWord{.left = 4});
    HttpAnswer answer;
    answer.status = 200;
    // The replicas know of 4 more: if Cloudflare leaves fewer, somebody else took the rest.
    answer.ratelimit = others ? R"("default";r=0;t=60)" : R"("default";r=4;t=60)";
    http_.End(answer);
    const size_t before = http_.requests.size();
    http_.at_once = Answered(200);
    for (int i = 3; i >= 0; --i) {
      Ask(10 + i);
      Say(LedgerWord{.left = i});
    }
    EXPECT_EQ(http_.requests.size() - before, others ? 1u : 4u);
    clock_.Advance(absl::Minutes(10));
  }
}

TEST_F(BudgetWithLedgerTest, ACancelBeforeItsWordSendsNothing) {
  Ticket ticket = Ask(1);
  ticket.Cancel();
  EXPECT_THAT(ends_, testing::SizeIs(1));
  Say(LedgerWord{.left = 5});
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
