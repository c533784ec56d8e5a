#include "service/upstream/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

using testing::Optional;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

HttpAnswer Answer(int status, std::string ratelimit = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.ratelimit = std::move(ratelimit);
  return answer;
}

// A limit of 120 requests in five minutes, 6 of which are held back.
class BudgetTest : public testing::Test {
 protected:
  std::variant<Grant, Refusal> Ask(uint64_t question, const std::string& caller = "one",
                                   bool background = false) {
    const Spending spending{.question = question, .caller = caller, .background = background};
    budget_.Ask(spending, now_);
    return budget_.Spend(spending, now_);
  }
  // Ends at once, with an answer that says nothing of the limit.
  bool Granted(const std::string& caller = "one", bool background = false) {
    const auto said = Ask(next_question_++, caller, background);
    if (const auto* grant = std::get_if<Grant>(&said)) {
      budget_.Ended(*grant, 1, nullptr, now_);
      return true;
    }
    refusal_ = std::get<Refusal>(said);
    return false;
  }
  int Spend(int most, const std::string& caller = "one", bool background = false) {
    int granted = 0;
    while (granted < most && Granted(caller, background)) ++granted;
    return granted;
  }
  // One request whose answer says this.
  void Hear(const HttpAnswer& answer) {
    const auto said = Ask(next_question_++);
    budget_.Ended(std::get<Grant>(said), 1, &answer, now_);
  }

  void SpendOneASecond() {
    for (int i = 0; i < 114; ++i) {
      EXPECT_TRUE(Granted());
      now_ += absl::Seconds(1);
    }
  }
  // Of a shortage: each is served who comes when told, and nobody else has that place.
  void KeepsItsPlaces() {
    SpendOneASecond();
    std::multimap<absl::Time, uint64_t> told;
    for (uint64_t question = 1; question <= 100; ++question) {
      const auto said = Ask(question);
      const Refusal& refusal = std::get<Refusal>(said);
      EXPECT_GT(refusal.wait, absl::ZeroDuration());
      EXPECT_LE(refusal.wait, absl::Minutes(5));
      EXPECT_TRUE(refusal.place_kept) << question;
      told.emplace(now_ + refusal.wait, question);
      EXPECT_EQ(std::get<Refusal>(Ask(question)).wait, refusal.wait);
    }
    for (const auto& [when, question] : told) {
      now_ = when;
      EXPECT_FALSE(Granted()) << "one without a place took a kept one";
      const auto said = Ask(question);
      ASSERT_TRUE(std::holds_alternative<Grant>(said)) << question;
      budget_.Ended(std::get<Grant>(said), 1, nullptr, now_);
    }
  }

  BudgetPolicy policy_{.limit = 120, .reserve = 20};
  Budget budget_{policy_};
  absl::Time now_ = kStart;
  uint64_t next_question_ = 1'000'000;
  Refusal refusal_;
};

TEST_F(BudgetTest, OneCallerGetsAllButTheHoldAndAnotherThatAtOnce) {
  EXPECT_EQ(budget_.left(now_), 120);
  EXPECT_EQ(Spend(1000), 114);
  EXPECT_EQ(budget_.left(now_), 6);
  EXPECT_EQ(Spend(1000, "another"), 6);
  EXPECT_EQ(budget_.left(now_), 0);
}

TEST_F(BudgetTest, GrantsAnewOnceTheWindowIsOver) {
  Spend(1000);
  now_ += absl::Minutes(4);
  EXPECT_EQ(Spend(1000), 0);
  now_ += absl::Minutes(2);
  EXPECT_EQ(Spend(1000), 114);
}

TEST_F(BudgetTest, CountsARequestUntilAWindowAfterItsEnd) {
  std::vector<Grant> under_way;
  for (int i = 0; i < 114; ++i) under_way.push_back(std::get<Grant>(Ask(next_question_++)));
  // Cloudflare counts it when it comes, which is not before the answer is known.
  now_ += absl::Minutes(6);
  EXPECT_EQ(budget_.left(now_), 6);
  for (const Grant& grant : under_way) budget_.Ended(grant, 1, nullptr, now_);
  now_ += absl::Minutes(5) - absl::Seconds(1);
  EXPECT_EQ(budget_.left(now_), 6);
  now_ += absl::Seconds(2);
  EXPECT_EQ(budget_.left(now_), 120);
}

TEST_F(BudgetTest, GivesBackWhatNeverLeftAndChargesWhatWasSentAgain) {
  const auto never_left = Ask(1);
  EXPECT_EQ(budget_.left(now_), 119);
  budget_.Ended(std::get<Grant>(never_left), 0, nullptr, now_);
  EXPECT_EQ(budget_.left(now_), 120);
  EXPECT_EQ(budget_.LargestCallers(1, now_).at(0).spent, 0);
  const auto sent_thrice = Ask(2);
  budget_.Ended(std::get<Grant>(sent_thrice), 3, nullptr, now_);
  EXPECT_EQ(budget_.left(now_), 117);
}

TEST_F(BudgetTest, NoWindowEverHoldsMoreThanTheLimit) {
  std::mt19937_64 random(1);
  std::deque<absl::Time> counted;  // by Cloudflare
  std::multimap<absl::Time, Grant> under_way;
  int64_t most = 0;
  const absl::Time end = now_ + absl::Minutes(30);
  while (now_ < end) {
    now_ += absl::Milliseconds(random() % 1500);
    while (!under_way.empty() && under_way.begin()->first <= now_) {
      // It was counted at some time before its answer came.
      counted.push_back(under_way.begin()->first -
                        absl::Milliseconds(random() % 2 == 0 ? 0 : random() % 10));
      std::sort(counted.begin(), counted.end());
      budget_.Ended(under_way.begin()->second, 1, nullptr, now_);
      under_way.erase(under_way.begin());
    }
    while (!counted.empty() && counted.front() <= now_ - absl::Minutes(5)) counted.pop_front();
    most = std::max<int64_t>(most, static_cast<int64_t>(counted.size()));
    auto said = Ask(next_question_++, absl::StrCat(random() % 5));
    if (auto* grant = std::get_if<Grant>(&said)) {
      under_way.emplace(now_ + absl::Milliseconds(random() % 20'000), std::move(*grant));
    }
  }
  EXPECT_LE(most, 120);
  EXPECT_GT(most, 110);
}

TEST_F(BudgetTest, WhoComesWhenToldIsServedAndWhoComesTooEarlyIsToldTheSame) { KeepsItsPlaces(); }

TEST_F(BudgetTest, WhoComesWhenToldIsServedThoughNobodyCameInAnEarlierShortage) {
  SpendOneASecond();
  for (int i = 0; i < 50; ++i) {
    EXPECT_FALSE(Granted());
    EXPECT_TRUE(refusal_.place_kept);
  }
  now_ += absl::Minutes(12);
  KeepsItsPlaces();
}

TEST_F(BudgetTest, NobodyIsToldATimeBeyondAWindow) {
  Spend(1000);
  int without_a_place = 0;
  for (uint64_t question = 1; question <= 5000; ++question) {
    const auto said = Ask(question, absl::StrCat(question % 7));
    const auto* refusal = std::get_if<Refusal>(&said);
    if (refusal == nullptr) continue;
    EXPECT_LE(refusal->wait, absl::Minutes(5));
    without_a_place += !refusal->place_kept;
  }
  // There is room for no more than the limit.
  EXPECT_GE(without_a_place, 5000 - 240);
}

TEST_F(BudgetTest, PlacesThatNobodyComesForCostNothing) {
  // Twice what is allowed, for ever, by callers who never come back.
  int granted = 0;
  for (int second = 0; second < 3000; ++second) {
    now_ += absl::Seconds(1.25);
    granted += Granted();
  }
  const double windows = 3000 * 1.25 / 300;
  EXPECT_GE(granted, 0.94 * 120 * windows);
}

TEST_F(BudgetTest, ABurstOfQuestionsLocksNobodyOut) {
  // 52,000 questions asked once each.
  for (int i = 0; i < 52'000; ++i) Granted(absl::StrCat("greedy ", i % 3));
  now_ += absl::Minutes(6);
  EXPECT_GE(Spend(1000, "another"), 60);
}

TEST_F(BudgetTest, ANewcomerIsServedAtOnceBesideTenGreedyOnes) {
  for (int i = 0; i < 5000; ++i) {
    now_ += absl::Milliseconds(200);
    Granted(absl::StrCat("greedy ", i % 10));
  }
  EXPECT_TRUE(Granted("newcomer"));
  EXPECT_FALSE(Granted("greedy 1"));
}

TEST_F(BudgetTest, SaysWhetherTheCallersPartIsSpentOrAllOfIt) {
  for (int i = 0; i < 3000; ++i) {
    now_ += absl::Milliseconds(400);
    // One asks for ten times as much as the other, who asks for less than half.
    Granted("greedy");
    if (i % 10 == 0) Granted("modest");
  }
  while (Granted("greedy")) {
  }
  EXPECT_EQ(refusal_.limit, Refusal::Limit::kCaller);
  while (Granted("modest")) {
  }
  EXPECT_EQ(refusal_.limit, Refusal::Limit::kCredential);
}

TEST_F(BudgetTest, RefreshesLeaveTheReserveToCalls) {
  EXPECT_EQ(Spend(1000, "", /*background=*/true), 100);
  EXPECT_EQ(Spend(1000), 20);
  EXPECT_FALSE(Granted("", /*background=*/true));
  EXPECT_FALSE(refusal_.place_kept);
}

TEST_F(BudgetTest, ABlockHoldsBackEverythingUntilItIsOver) {
  HttpAnswer blocked = Answer(429);
  blocked.retry_after = "30";
  Hear(blocked);
  EXPECT_THAT(budget_.BlockedUntil(now_), Optional(now_ + absl::Seconds(30)));
  EXPECT_EQ(budget_.left(now_), 0);
  EXPECT_FALSE(Granted());
  EXPECT_GE(refusal_.wait, absl::Seconds(30));
  now_ += absl::Seconds(31);
  EXPECT_TRUE(Granted());
}

TEST_F(BudgetTest, A429WithoutATimeMeansTheLongestBlock) {
  Hear(Answer(429));
  EXPECT_THAT(budget_.BlockedUntil(now_), Optional(now_ + absl::Minutes(5)));
}

TEST_F(BudgetTest, NoHeaderHoldsBackForLongerThanTheLongestBlock) {
  for (const char* header : {R"("default";r=0;t=31622400)", R"("default";r=0;t=301)"}) {
    Hear(Answer(200, header));
    EXPECT_THAT(budget_.BarredUntil(now_), Optional(now_ + absl::Minutes(5)));
    EXPECT_FALSE(Granted());
    now_ += absl::Minutes(5) + absl::Seconds(1);
  }
  HttpAnswer blocked = Answer(429);
  blocked.retry_after = "31622400";
  Hear(blocked);
  EXPECT_THAT(budget_.BarredUntil(now_), Optional(now_ + absl::Minutes(5)));
}

TEST_F(BudgetTest, AfterABlockOneRequestFindsOut) {
  Hear(Answer(429));
  now_ += absl::Minutes(6);
  const auto scout = Ask(1);
  ASSERT_TRUE(std::holds_alternative<Grant>(scout));
  EXPECT_FALSE(Granted()) << "while it is under way, nobody knows";
  // It found no answer at all, so the next one looks.
  budget_.Ended(std::get<Grant>(scout), 0, nullptr, now_);
  const auto next = Ask(2);
  ASSERT_TRUE(std::holds_alternative<Grant>(next));
  EXPECT_FALSE(Granted());
  const HttpAnswer well = Answer(200);
  budget_.Ended(std::get<Grant>(next), 1, &well, now_);
  EXPECT_EQ(Spend(10), 10);
}

TEST_F(BudgetTest, WhatCloudflareSaysIsLeftBindsAndIsUsedUp) {
  Hear(Answer(200, R"("default";r=3;t=60)"));
  EXPECT_EQ(Spend(1000), 3);
  EXPECT_EQ(budget_.left(now_), 0);
  now_ += absl::Seconds(61);
  EXPECT_GT(Spend(1000), 50);
}

TEST_F(BudgetTest, AnAnswerThatWasOvertakenDoesNotRaiseWhatIsLeft) {
  const auto early = Ask(1);
  const auto late = Ask(2);
  const HttpAnswer none = Answer(200, R"("default";r=0;t=60)");
  budget_.Ended(std::get<Grant>(late), 1, &none, now_);
  const HttpAnswer some = Answer(200, R"("default";r=50;t=60)");
  budget_.Ended(std::get<Grant>(early), 1, &some, now_);
  EXPECT_FALSE(Granted());
}

TEST_F(BudgetTest, CloudflaresPolicyChangesTheLimit) {
  HttpAnswer answer = Answer(200);
  answer.ratelimit_policy = R"("default";q=200;w=300, "burst";q=10;w=60)";
  Hear(answer);
  EXPECT_EQ(budget_.limit(), 200);
  EXPECT_EQ(budget_.hold(), 10);
  EXPECT_EQ(Spend(1000), 189);
}

TEST(FinalBudgetTest, CloudflaresPolicyLowersASetLimitButDoesNotRaiseIt) {
  Budget budget({.limit = 120, .limit_is_final = true});
  for (const auto& [quota, limit] : std::map<int, int>{{100, 100}, {5000, 120}}) {
    budget.Ask({.question = 1}, kStart);
    const auto said = budget.Spend({.question = 1}, kStart);
    HttpAnswer answer = Answer(200);
    answer.ratelimit_policy = absl::StrCat(R"("default";q=)", quota, ";w=300");
    budget.Ended(std::get<Grant>(said), 1, &answer, kStart);
    EXPECT_EQ(budget.limit(), limit);
  }
}

TEST_F(BudgetTest, AloneEachReplicaKeepsToItsPartOfWhatWasLeft) {
  budget_.ShareWith(2, 60, now_);
  EXPECT_EQ(Spend(1000), 30);
  // Then to its part of the limit, of which a twentieth is held back.
  now_ += absl::Minutes(6);
  EXPECT_EQ(Spend(1000), 57);
}

TEST_F(BudgetTest, ItsOwnCountBindsWhateverIsGranted) {
  int granted = 0;
  for (uint64_t question = 1; question <= 500; ++question) {
    granted += std::holds_alternative<Grant>(budget_.SpendGranted({.question = question}, now_));
  }
  EXPECT_EQ(granted, 120);
  Budget told(policy_);
  const auto said = told.SpendGranted({.question = 1}, now_);
  const HttpAnswer none = Answer(200, R"("default";r=0;t=60)");
  told.Ended(std::get<Grant>(said), 1, &none, now_);
  EXPECT_TRUE(std::holds_alternative<Refusal>(told.SpendGranted({.question = 2}, now_)));
}

TEST_F(BudgetTest, CountsMoreCallersThanItTellsApart) {
  for (int i = 0; i < 1000; ++i) Granted(absl::StrCat("caller ", i));
  EXPECT_EQ(budget_.left(now_), 0);
  EXPECT_EQ(budget_.LargestCallers(5000, now_).size(), budget_rules::kMostCallers);
  now_ += absl::Minutes(10);
  EXPECT_FALSE(budget_.in_use(now_));
}

}  // namespace
}  // namespace pcap_gateway
