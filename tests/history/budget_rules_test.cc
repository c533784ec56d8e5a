// The budget's rules stand twice, in C++ for one process and in Lua for replicas that share a
// Redis. Both are asked the same here, and have to say the same.
//
// HISTORY_SEED in the environment sets what is asked.
#include "service/source/budget_rules.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <iterator>
#include <ostream>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/upstream/budget.h"
#include "tests/history/timed_ledger.h"
#include "tests/support/fake_clock.h"
#include "tests/support/queries.h"

namespace pcap_gateway {

// GoogleTest names a test after its parameter.
void PrintTo(const BudgetPolicy& policy, std::ostream* out) {
  *out << "limit " << policy.limit << ", reserve " << policy.reserve << ", hold "
       << policy.hold.value_or(policy.limit / 20);
}

namespace {

uint64_t Seed() {
  const char* const text = std::getenv("HISTORY_SEED");
  uint64_t seed = 0;
  return text != nullptr && absl::SimpleAtoi(text, &seed) ? seed : std::random_device()();
}

std::string TextOf(const std::optional<Refusal>& refusal) {
  if (!refusal.has_value()) return "granted";
  return absl::StrCat(refusal->limit == Refusal::Limit::kCaller ? "caller" : "credential",
                      refusal->place_kept ? ", kept, " : ", ",
                      absl::FormatDuration(absl::Ceil(refusal->wait, absl::Milliseconds(1))));
}

class BudgetRulesTest : public testing::TestWithParam<BudgetPolicy> {};

TEST_P(BudgetRulesTest, AreTheSameInTheProcessAndInRedis) {
  constexpr int kQuestions = 4000;
  const uint64_t seed = Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  const BudgetPolicy policy = GetParam();
  RedisServer server;
  FakeClock clock;
  clock.Advance(absl::Ceil(clock.Now() - absl::UnixEpoch(), absl::Milliseconds(1)) -
                (clock.Now() - absl::UnixEpoch()));
  TimedLedger ledger(server, clock);
  Budget budget(policy);
  const auto credential = TestCredential();

  struct Sent {
    Grant grant;
    int64_t granted_in;
    absl::Time at;
  };
  std::vector<Sent> under_way;  // by when they were granted
  struct Refused {
    int question;
    std::string caller;
    absl::Time due;
  };
  std::vector<Refused> refused;
  int next_question = 0;
  int granted = 0;
  int kept = 0;
  for (int i = 0; i < kQuestions; ++i) {
    // Much is asked at times, and little at others.
    const bool busy = i / 500 % 2 == 0;
    clock.Advance(absl::Milliseconds(random() % (busy ? 1500 : 6000)));
    int question = ++next_question;
    std::string caller = absl::StrCat("caller ", random() % (busy ? 3 : 7));
    bool background = random() % 15 == 0;
    if (!refused.empty() && random() % 2 == 0) {
      const size_t which = random() % refused.size();
      const Refused again = refused[which];
      refused.erase(refused.begin() + static_cast<ptrdiff_t>(which));
      // Some come when told, some too early, and some too late.
      if (random() % 3 != 0 && again.due > clock.Now()) clock.Advance(again.due - clock.Now());
      question = again.question;
      caller = again.caller;
      background = false;
    }
    if (background) caller.clear();

    // What is over by now; the ledger hears of it with the next question. The last of them mostly,
    // but none lasts so long that Redis takes it to be over.
    const auto is_too_long = [&] {
      return under_way.front().at < clock.Now() - budget_rules::kLongestRequest / 2;
    };
    while (!under_way.empty() && (is_too_long() || random() % 3 != 0)) {
      const auto over = is_too_long() ? under_way.begin() : std::prev(under_way.end());
      const auto [grant, granted_in, at] = *over;
      under_way.erase(over);
      constexpr int kSendings[] = {0, 2, 1, 1, 1, 1, 1, 1, 1, 1};
      const int sendings = kSendings[random() % 10];
      budget.Ended(grant, sendings, nullptr, clock.Now());
      ledger.Over(*credential, grant.caller, granted_in, sendings);
    }
    const std::string text = absl::StrCat("question ", question);
    const Spending spending{
        .question = absl::HashOf(text), .caller = caller, .background = background};
    budget.Ask(spending, clock.Now());
    const auto here = budget.Spend(spending, clock.Now());
    std::optional<LedgerWord> there;
    ledger.Spend({.credential = credential,
                  .question = text,
                  .caller = caller,
                  .background = background,
                  .limit = policy.limit,
                  .reserve = policy.reserve,
                  .hold = budget.hold(),
                  .window = policy.window,
                  .longest_block = policy.longest_block},
                 [&](std::optional<LedgerWord> word) { there = word; });
    ASSERT_TRUE(there.has_value());
    const auto* refusal = std::get_if<Refusal>(&here);
    ASSERT_EQ(TextOf(refusal == nullptr ? std::nullopt : std::optional(*refusal)),
              TextOf(there->refusal))
        << "question " << i << " of " << caller << ", " << there->left << " left there, "
        << budget.left(clock.Now()) << " here";
    ASSERT_EQ(budget.left(clock.Now()), there->left);
    if (refusal == nullptr) {
      ++granted;
      under_way.push_back({std::get<Grant>(here), there->granted_in, clock.Now()});
    } else if (!background) {
      kept += refusal->place_kept;
      refused.push_back({question, caller, clock.Now() + refusal->wait});
    }
  }
  std::cout << "budget rules: seed " << seed << ", " << kQuestions << " questions, " << granted
            << " granted, " << kept << " places kept\n";
  EXPECT_GT(granted, kQuestions / 10);
  EXPECT_GT(kept, kQuestions / 10);
}

INSTANTIATE_TEST_SUITE_P(Policies, BudgetRulesTest,
                         testing::Values(BudgetPolicy{.limit = 120, .reserve = 20},
                                         BudgetPolicy{.limit = 30, .reserve = 0, .hold = 0},
                                         BudgetPolicy{.limit = 60, .reserve = 30, .hold = 10}));

}  // namespace
}  // namespace pcap_gateway
