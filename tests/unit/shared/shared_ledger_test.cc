#include "service/shared/shared_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/event.h"
#include "tests/support/queries.h"
#include "tests/support/redis_server.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

// A gateway, as far as the ledger sees it.
struct Replica {
  explicit Replica(const RedisServer& server)
      : redis(RedisClient::Start(*loop, {.url = *RedisUrlFrom(server.url()),
                                         .command_timeout = absl::Seconds(10),
                                         .reconnect_after = absl::Milliseconds(10)})),
        ledger(redis, clock) {
    EXPECT_TRUE(Until([this] { return redis->stats().up.load(); }));
  }
  ~Replica() { redis->Stop(); }

  std::optional<LedgerWord> Ask(LedgerEntry entry) {
    std::optional<LedgerWord> word;
    Event said;
    loop->Post([&] {
      ledger.Spend(std::move(entry), [&](std::optional<LedgerWord> got) {
        word = got;
        said.Happen();
      });
    });
    EXPECT_TRUE(said.Await());
    return word;
  }

  void Over(const Credential& credential, absl::string_view caller,
            std::optional<int64_t> granted_in, int sendings) {
    loop->Run([&] { ledger.Over(credential, caller, granted_in, sendings); });
  }

  SteadyWallClock clock;
  std::unique_ptr<EventLoop> loop = *EventLoop::Start();
  std::shared_ptr<RedisClient> redis;
  SharedLedger ledger;
};

class SharedLedgerTest : public testing::Test {
 protected:
  LedgerEntry Entry(absl::string_view question, bool background = false) const {
    return {.credential = credential_,
            .question = std::string(question),
            .caller = background ? "" : "caller",
            .background = background,
            .limit = 5,
            .reserve = 2,
            .window = absl::Minutes(5),
            .longest_block = absl::Minutes(5)};
  }

  const std::shared_ptr<const Credential> credential_ = TestCredential();
  RedisServer server_;
  Replica one_{server_};
  Replica two_{server_};
};

TEST_F(SharedLedgerTest, CountsForAllReplicasTogether) {
  for (int i = 0; i < 5; ++i) {
    const auto word = (i % 2 == 0 ? one_ : two_).Ask(Entry(absl::StrCat(i)));
    ASSERT_TRUE(word.has_value());
    EXPECT_FALSE(word->refusal.has_value());
    EXPECT_EQ(word->left, 4 - i);
    EXPECT_EQ(word->replicas, i == 0 ? 1 : 2);
  }
  for (Replica* replica : {&one_, &two_}) {
    const auto word = replica->Ask(Entry("one more"));
    ASSERT_TRUE(word.has_value());
    ASSERT_TRUE(word->refusal.has_value());
    EXPECT_GT(word->refusal->wait, absl::Minutes(4));
    EXPECT_LE(word->refusal->wait, absl::Minutes(5));
    EXPECT_EQ(word->left, 0);
  }
}

TEST_F(SharedLedgerTest, LeavesTheReserveToCalls) {
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(one_.Ask(Entry("refresh", true))->refusal.has_value());
  EXPECT_TRUE(two_.Ask(Entry("refresh", true))->refusal.has_value());
  EXPECT_FALSE(two_.Ask(Entry("call"))->refusal.has_value());
}

TEST_F(SharedLedgerTest, EachCredentialHasACountOfItsOwn) {
  LedgerEntry other = Entry("x");
  other.credential = *Credential::FromToken(Credential::Owner::kCaller, "another-token");
  for (int i = 0; i < 6; ++i) one_.Ask(Entry(absl::StrCat(i)));
  EXPECT_EQ(two_.Ask(other)->left, 4);
}

TEST_F(SharedLedgerTest, ABlockHoldsForAllReplicas) {
  one_.loop->Run([&] { one_.ledger.Block(*credential_, absl::Minutes(3)); });
  one_.Ask(Entry("after it"));
  const auto word = two_.Ask(Entry("x"));
  ASSERT_TRUE(word->refusal.has_value());
  EXPECT_GT(word->refusal->wait, absl::Minutes(2));
  EXPECT_LE(word->refusal->wait, absl::Minutes(3));
}

TEST_F(SharedLedgerTest, WhatNeverLeftIsGivenBack) {
  for (int i = 0; i < 20; ++i) {
    const auto word = one_.Ask(Entry(absl::StrCat(i)));
    ASSERT_FALSE(word->refusal.has_value()) << i;
    one_.Over(*credential_, "caller", word->granted_in, 0);
  }
}

TEST_F(SharedLedgerTest, WhatWasSpentAloneIsToldWhenRedisIsBack) {
  EXPECT_EQ(one_.Ask(Entry("before"))->left, 4);
  for (int i = 0; i < 3; ++i) one_.Over(*credential_, "caller", std::nullopt, 1);
  one_.Ask(Entry("the one that tells"));
  EXPECT_EQ(two_.Ask(Entry("after"))->refusal.has_value(), true);
}

TEST_F(SharedLedgerTest, HoweverManyCredentialsFewAreRemembered) {
  one_.loop->Run([&] {
    for (size_t i = 0; i < 3 * SharedLedger::kMostTellings; ++i) {
      const auto made_up = TestCredential(absl::StrCat("made-up-", i));
      one_.ledger.Over(*made_up, "caller", std::nullopt, 1);
      ASSERT_LE(one_.ledger.tellings(), SharedLedger::kMostTellings);
    }
  });
  // One that is forgotten and told of anew is believed.
  for (int left = 4; left > 0; left -= 2) {
    EXPECT_EQ(one_.Ask(Entry(absl::StrCat(left)))->left, left);
    one_.Over(*credential_, "caller", std::nullopt, 1);
  }
}

TEST_F(SharedLedgerTest, WhatWasToldInVainIsToldAgainAndCountedOnce) {
  ASSERT_TRUE(one_.Ask(Entry("before")).has_value());
  one_.Over(*credential_, "caller", std::nullopt, 1);
  server_.Kill();
  EXPECT_FALSE(one_.Ask(Entry("in vain")).has_value());
  server_.Start();
  ASSERT_TRUE(Until([this] { return one_.redis->stats().up.load(); }));
  EXPECT_EQ(one_.Ask(Entry("with the report"))->left, 3);
  EXPECT_EQ(one_.Ask(Entry("without one"))->left, 2);
}

TEST_F(SharedLedgerTest, AnAbsurdBlockIsNotBelieved) {
  one_.Ask(Entry("x"));
  std::string key = server_.Cli({"KEYS", "*:count"});
  key = key.substr(0, key.rfind(":count")) + ":blocked";
  server_.Cli({"SET", key, "1", "PX", "9223372036854"});
  EXPECT_EQ(one_.Ask(Entry("y"))->refusal->wait, absl::Minutes(5));
}

TEST_F(SharedLedgerTest, SpoiltCountsAreNoLongerThere) {
  one_.Ask(Entry("x"));
  std::string key = server_.Cli({"KEYS", "*:count"});
  key = key.substr(0, key.find('\n'));
  server_.Cli({"HSET", key, "plan", "nonsense", "taken", "many", "n", "1"});
  const std::string callers = key.substr(0, key.rfind(":count")) + ":callers";
  server_.Cli({"HSET", callers, "stranger", "nonsense", "", "nonsense"});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(one_.Ask(Entry(absl::StrCat(i))).has_value());
}

RedisReply Numbers(const std::vector<int64_t>& numbers) {
  RedisReply reply{.kind = RedisReply::Kind::kArray};
  for (const int64_t number : numbers) {
    reply.elements.push_back({.kind = RedisReply::Kind::kInteger, .integer = number});
  }
  return reply;
}

TEST(LedgerWordTest, BelievesNothingThatCannotBe) {
  const LedgerEntry entry{.window = absl::Minutes(5), .longest_block = absl::Minutes(5)};
  const auto word = LedgerWordFrom(Numbers({1000, 1, 1, 7, 3, 0}), entry);
  ASSERT_TRUE(word.has_value());
  EXPECT_EQ(word->refusal->wait, absl::Seconds(1));
  EXPECT_EQ(word->refusal->limit, Refusal::Limit::kCaller);
  EXPECT_TRUE(word->refusal->place_kept);
  EXPECT_EQ(word->left, 7);
  EXPECT_EQ(word->replicas, 3);
  // No replicas, which it is divided by; less than nothing; too few; other things than numbers.
  for (const std::vector<int64_t>& numbers : std::vector<std::vector<int64_t>>{
           {0, 0, 0, 10, 0, 1}, {0, 0, 0, -1, 1, 1}, {-5, 0, 0, 1, 1, 1}, {0, 10, 0}, {}}) {
    EXPECT_FALSE(LedgerWordFrom(Numbers(numbers), entry).has_value());
  }
  RedisReply text = Numbers({0, 0, 0, 1, 1, 1});
  text.elements[4] = {.kind = RedisReply::Kind::kText, .text = "1"};
  EXPECT_FALSE(LedgerWordFrom(text, entry).has_value());
  EXPECT_FALSE(
      LedgerWordFrom({.kind = RedisReply::Kind::kError, .text = "READONLY"}, entry).has_value());
  // Too long, too many.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const auto absurd = LedgerWordFrom(Numbers({kMost, 0, 0, kMost, kMost, kMost}), entry);
  ASSERT_TRUE(absurd.has_value());
  EXPECT_EQ(absurd->refusal->wait, absl::Minutes(5));
  EXPECT_EQ(absurd->left, 1'000'000'000);
  EXPECT_EQ(absurd->replicas, 1'000);
}

TEST_F(SharedLedgerTest, NoMoreThanTheLimitAreGrantedHoweverManyAskAtOnce) {
  std::atomic<int> granted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        LedgerEntry entry = Entry(absl::StrCat(t, "/", i));
        entry.limit = 150;
        entry.caller = absl::StrCat(t);
        if (!(t % 2 == 0 ? one_ : two_).Ask(std::move(entry))->refusal.has_value()) ++granted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(granted, 150);
}

TEST_F(SharedLedgerTest, RedisShowsNeitherCredentialNorQuestionAndForgetsThem) {
  // Until somebody has a place.
  std::optional<LedgerWord> word;
  for (int i = 0; i == 0 || !word->refusal.has_value() || !word->refusal->place_kept; ++i) {
    LedgerEntry entry = Entry(absl::StrCat("/pcaps/canary", i));
    entry.window = absl::Seconds(6);
    entry.caller = "canary";
    word = one_.Ask(std::move(entry));
    if (!word->refusal.has_value()) one_.Over(*credential_, "canary", word->granted_in, 1);
  }
  const std::string keys = server_.Cli({"KEYS", "*"});
  EXPECT_THAT(keys, HasSubstr("pcap-gateway:v1:"));
  for (const absl::string_view key : {":count", ":callers", ":places", ":owners", ":replicas"}) {
    EXPECT_THAT(keys, HasSubstr(std::string(key)));
  }
  EXPECT_THAT(keys, Not(HasSubstr("canary")));
  const std::string all = server_.Cli(
      {"EVAL",
       "local r = '' for _, k in ipairs(redis.call('KEYS', '*')) do "
       "r = r .. redis.call('DUMP', k) if redis.call('PTTL', k) < 0 then return 'kept' end "
       "end return r",
       "0"});
  EXPECT_THAT(all, Not(HasSubstr("canary")));
  EXPECT_THAT(all, Not(HasSubstr("kept")));
}

TEST_F(SharedLedgerTest, WithoutRedisItSaysNothing) {
  server_.Kill();
  EXPECT_FALSE(one_.Ask(Entry("x")).has_value());
}

}  // namespace
}  // namespace pcap_gateway
