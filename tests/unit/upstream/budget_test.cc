#include "service/upstream/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <vector>

namespace pcap_gateway {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

class BudgetTest : public testing::Test {
 protected:
  bool Granted(bool background = false) {
    return !budget_.Spend(next_question_++, background, now_).has_value();
  }
  int Spend(int most, bool background = false) {
    int granted = 0;
    while (granted < most && Granted(background)) ++granted;
    return granted;
  }

  BudgetPolicy policy_{.limit = 120, .window = absl::Minutes(5), .reserve = 20};
  Budget budget_{policy_};
  absl::Time now_ = kStart;
  uint64_t next_question_ = 1'000'000;
};

TEST_F(BudgetTest, GrantsTheLimitAtOnceAndThenNothing) {
  EXPECT_EQ(budget_.left(now_), 120);
  EXPECT_EQ(Spend(1000), 120);
  EXPECT_EQ(budget_.left(now_), 0);
  now_ += absl::Minutes(4);
  EXPECT_FALSE(Granted());
}

TEST_F(BudgetTest, GrantsAnewOnceTheWindowIsOver) {
  Spend(120);
  now_ += absl::Minutes(6);
  EXPECT_EQ(Spend(1000), 120);
}

TEST_F(BudgetTest, KeepsItsPromises) {
  Spend(120);
  std::map<uint64_t, absl::Time> promised;
  for (uint64_t question = 1; question <= 300; ++question) {
    const auto later = budget_.Spend(question, false, now_);
    ASSERT_TRUE(later.has_value());
    EXPECT_GT(*later, now_);
    promised[question] = *later;
  }
  // Who asks again too early is told the same.
  EXPECT_EQ(budget_.Spend(1, false, now_), promised[1]);
  std::vector<std::pair<absl::Time, uint64_t>> in_turn;
  for (const auto& [question, at] : promised) in_turn.emplace_back(at, question);
  std::sort(in_turn.begin(), in_turn.end());
  for (const auto& [at, question] : in_turn) {
    now_ = at;
    EXPECT_FALSE(Granted()) << "a newcomer took a promised place";
    EXPECT_FALSE(budget_.Spend(question, false, now_).has_value()) << question;
  }
}

TEST_F(BudgetTest, GivesUpPlacesThatNobodyCameFor) {
  Spend(120);
  const auto later = budget_.Spend(1, false, now_);
  ASSERT_TRUE(later.has_value());
  now_ = *later + absl::Minutes(1);
  EXPECT_EQ(Spend(1000), 120);
}

TEST_F(BudgetTest, RefreshesLeaveTheReserveToCalls) {
  EXPECT_EQ(Spend(1000, /*background=*/true), 100);
  EXPECT_EQ(Spend(1000), 20);
  const auto later = budget_.Spend(1, /*background=*/true, now_);
  ASSERT_TRUE(later.has_value());
  EXPECT_GT(*later, now_);
}

TEST_F(BudgetTest, CloudflaresOwnCountGoesFirst) {
  budget_.Learn({.status = 200, .ratelimit = R"("default";r=5;t=30)"}, 2, now_);
  EXPECT_EQ(budget_.left(now_), 3);
  EXPECT_EQ(Spend(1000), 3);
  EXPECT_EQ(budget_.Spend(1, false, now_), now_ + absl::Seconds(30));
  now_ += absl::Seconds(30);
  EXPECT_EQ(Spend(1000), 115);  // two are promised to those who were refused
}

TEST_F(BudgetTest, ACountThatOurOwnRequestsExplainDoesNotStandAgainstAPromise) {
  for (const bool others : {false, true}) {
    Budget budget(policy_);
    absl::Time now = kStart;
    for (uint64_t i = 0; i < 110; ++i) ASSERT_FALSE(budget.Spend(i, false, now).has_value());
    now += absl::Seconds(5);
    for (uint64_t i = 110; i < 120; ++i) ASSERT_FALSE(budget.Spend(i, false, now).has_value());
    const absl::Time place = *budget.Spend(1000, false, now);
    for (uint64_t i = 1001; i < 1060; ++i) ASSERT_EQ(*budget.Spend(i, false, now), place);
    now = place;
    for (uint64_t i = 1000; i < 1059; ++i) ASSERT_FALSE(budget.Spend(i, false, now).has_value());
    // All but the last are on their way, and Cloudflare has counted some of them already.
    const char* const said = others ? R"("default";r=20;t=200)" : R"("default";r=50;t=200)";
    budget.Learn({.status = 200, .ratelimit = said}, 58, now);
    EXPECT_TRUE(budget.Spend(2000, false, now).has_value()) << "a newcomer";
    EXPECT_EQ(budget.Spend(1059, false, now).has_value(), others);
  }
}

TEST_F(BudgetTest, PromisesPlacesAfterCloudflaresCountIsRenewed) {
  Spend(100);
  budget_.Learn({.status = 200, .ratelimit = R"("default";r=0;t=28)"}, 0, now_);
  std::map<uint64_t, absl::Time> promised;
  for (uint64_t question = 1; question <= 300; ++question) {
    promised[question] = *budget_.Spend(question, false, now_);
    EXPECT_GE(promised[question], now_ + absl::Seconds(28));
    EXPECT_EQ(budget_.Spend(question, false, now_), promised[question]);
  }
  std::vector<std::pair<absl::Time, uint64_t>> in_turn;
  for (const auto& [question, at] : promised) in_turn.emplace_back(at, question);
  std::sort(in_turn.begin(), in_turn.end());
  for (const auto& [at, question] : in_turn) {
    now_ = at;
    EXPECT_FALSE(budget_.Spend(question, false, now_).has_value()) << question;
  }
}

TEST_F(BudgetTest, APlaceThatABlockMakesVoidIsReplacedByAnother) {
  Spend(120);
  const absl::Time before = *budget_.Spend(1, false, now_);
  now_ = before - absl::Seconds(1);
  budget_.Learn({.status = 429, .retry_after = "60"}, 0, now_);
  const absl::Time blocked_until = now_ + absl::Seconds(60);
  now_ = before;
  const auto after = budget_.Spend(1, false, now_);
  ASSERT_TRUE(after.has_value());
  EXPECT_GE(*after, blocked_until);
  now_ = *after;
  EXPECT_FALSE(budget_.Spend(1, false, now_).has_value());
  EXPECT_EQ(Spend(1000), 119) << "the first place is free again, the second is used";
}

TEST_F(BudgetTest, AnOlderCountThatComesLateDoesNotRaiseIt) {
  budget_.Learn({.status = 200, .ratelimit = R"("default";r=5;t=30)"}, 0, now_);
  budget_.Learn({.status = 200, .ratelimit = R"("default";r=9;t=30)"}, 0, now_);
  EXPECT_EQ(budget_.left(now_), 5);
}

TEST_F(BudgetTest, OfSeveralCountsTheLeastGoesFirst) {
  budget_.Learn({.status = 200, .ratelimit = R"("a";r=50;t=30, "b";r=2;t=9, "c";r=7;t=9)"}, 0,
                now_);
  EXPECT_EQ(budget_.left(now_), 2);
}

TEST_F(BudgetTest, CloudflaresPolicyReplacesTheDocumentedOne) {
  budget_.Learn({.status = 200, .ratelimit_policy = R"("x";q=9;w=60, "default";q=500;w=300)"}, 0,
                now_);
  EXPECT_EQ(Spend(1000), 500);
}

TEST_F(BudgetTest, ButNotTheOperatorsOwn) {
  policy_.limit_is_final = true;
  Budget budget(policy_);
  budget.Learn({.status = 200, .ratelimit_policy = R"("default";q=500;w=300)"}, 0, now_);
  EXPECT_EQ(budget.left(now_), 120);
  budget.Learn({.status = 200, .ratelimit_policy = R"("default";q=60;w=300)"}, 0, now_);
  EXPECT_EQ(budget.left(now_), 60);
}

TEST_F(BudgetTest, After429NothingIsSentUntilRetryAfter) {
  budget_.Learn({.status = 429, .retry_after = "17"}, 0, now_);
  // Places are promised to the next slot.
  EXPECT_EQ(budget_.Spend(1, false, now_), now_ + absl::Seconds(20));
  EXPECT_EQ(budget_.left(now_), 0);
  now_ += absl::Seconds(17);
  EXPECT_TRUE(Granted());
}

TEST_F(BudgetTest, After429WithoutRetryAfterForTheDocumentedTime) {
  budget_.Learn({.status = 429}, 0, now_);
  EXPECT_EQ(budget_.Spend(1, false, now_), now_ + absl::Minutes(5));
}

TEST_F(BudgetTest, OfABlockAndACountThatIsSpentTheLaterEndHolds) {
  budget_.Learn({.status = 429, .retry_after = "60", .ratelimit = R"("default";r=0;t=200)"}, 0,
                now_);
  EXPECT_EQ(budget_.Spend(1, false, now_), now_ + absl::Seconds(200));
  now_ += absl::Seconds(200);
  EXPECT_FALSE(budget_.Spend(1, false, now_).has_value());
}

TEST_F(BudgetTest, AnAbsurdRetryAfterIsCutShort) {
  budget_.Learn({.status = 429, .retry_after = "99999999999"}, 0, now_);
  EXPECT_EQ(budget_.Spend(1, false, now_), now_ + absl::Minutes(10));
}

// Ten minutes at ten times what is allowed, by callers who come back when they were told.
TEST(BudgetSimulation, NeverExceedsTheLimitInAnyWindowAndKeepsEveryPromise) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  Budget budget({.limit = 1200, .window = absl::Minutes(5), .reserve = 0});
  std::multimap<absl::Time, uint64_t> arrivals;
  std::map<uint64_t, absl::Time> promised;
  const absl::Duration kRuns = absl::Minutes(30);
  uint64_t questions = 0;
  for (absl::Time at = kStart; at < kStart + kRuns;) {
    arrivals.emplace(at, questions++);
    at += absl::Milliseconds(static_cast<double>(random() % 50));  // 40 a second
  }
  std::deque<absl::Time> sent;  // in the last five minutes
  size_t total = 0, refused = 0, broken = 0, most = 0;
  while (!arrivals.empty() && arrivals.begin()->first < kStart + kRuns) {
    const auto [now, question] = *arrivals.begin();
    arrivals.erase(arrivals.begin());
    if (const auto later = budget.Spend(question, false, now)) {
      ++refused;
      broken += promised.contains(question);
      promised[question] = *later;
      // Some are a little late, and some never come back.
      if (random() % 10 != 0) {
        arrivals.emplace(*later + absl::Milliseconds(static_cast<double>(random() % 5000)),
                         question);
      }
      continue;
    }
    ++total;
    sent.push_back(now);
    while (sent.front() <= now - absl::Minutes(5)) sent.pop_front();
    most = std::max(most, sent.size());
  }
  EXPECT_LE(most, 1200u);
  EXPECT_EQ(broken, 0u) << "of " << refused;
  EXPECT_GT(refused, 10'000u);
  // What is allowed is used: nine tenths of it at least, but for the places nobody came for.
  EXPECT_GT(total, 1200u * 6 * 8 / 10);
}

}  // namespace
}  // namespace pcap_gateway
