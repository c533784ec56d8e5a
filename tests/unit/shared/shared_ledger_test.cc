#include "service/shared/shared_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/event.h"
#include "tests/support/queries.h"
#include "tests/support/redis_server.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

// A gateway, as far as the ledger sees it.
struct Replica {
  explicit Replica(const RedisServer& server)
      : redis(*RedisClient::Start({.url = *RedisUrlFrom(server.url()),
                                   .command_timeout = absl::Seconds(10),
                                   .reconnect_after = absl::Milliseconds(10)})),
        ledger(redis) {
    while (!redis->stats().up.load()) std::this_thread::yield();
  }
  ~Replica() { redis->Stop(); }

  std::optional<LedgerWord> Ask(LedgerEntry entry) {
    std::optional<LedgerWord> word;
    Event said;
    ledger.Spend(std::move(entry), [&](std::optional<LedgerWord> got) {
      word = got;
      said.Happen();
    });
    EXPECT_TRUE(said.Await());
    return word;
  }

  std::shared_ptr<RedisClient> redis;
  SharedLedger ledger;
};

class SharedLedgerTest : public testing::Test {
 protected:
  LedgerEntry Entry(absl::string_view question, bool background = false) const {
    return {.credential = credential_,
            .question = std::string(question),
            .background = background,
            .limit = 5,
            .reserve = 2,
            .window = absl::Minutes(5)};
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
    EXPECT_FALSE(word->later.has_value());
    EXPECT_EQ(word->left, 4 - i);
    EXPECT_EQ(word->replicas, i == 0 ? 1 : 2);
  }
  for (Replica* replica : {&one_, &two_}) {
    const auto word = replica->Ask(Entry("one more"));
    ASSERT_TRUE(word.has_value());
    ASSERT_TRUE(word->later.has_value());
    EXPECT_GT(*word->later, absl::Minutes(4));
    EXPECT_LT(*word->later, absl::Minutes(6));
    EXPECT_EQ(word->left, 0);
  }
}

TEST_F(SharedLedgerTest, LeavesTheReserveToCalls) {
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(one_.Ask(Entry("refresh", true))->later.has_value());
  EXPECT_TRUE(two_.Ask(Entry("refresh", true))->later.has_value());
  EXPECT_FALSE(two_.Ask(Entry("call"))->later.has_value());
}

TEST_F(SharedLedgerTest, EachCredentialHasACountOfItsOwn) {
  LedgerEntry other = Entry("x");
  other.credential = *Credential::FromToken(Credential::Owner::kCaller, "another-token");
  for (int i = 0; i < 6; ++i) one_.Ask(Entry(absl::StrCat(i)));
  EXPECT_EQ(two_.Ask(other)->left, 4);
}

TEST_F(SharedLedgerTest, ABlockHoldsForAllReplicas) {
  one_.ledger.Block(*credential_, absl::Minutes(3));
  one_.Ask(Entry("after it"));
  const auto word = two_.Ask(Entry("x"));
  ASSERT_TRUE(word->later.has_value());
  EXPECT_GT(*word->later, absl::Minutes(2));
  EXPECT_LE(*word->later, absl::Minutes(3));
}

// As many come to one full slot as fit into it; the rest are told a later one.
TEST_F(SharedLedgerTest, NoTwoAreToldTheSamePlace) {
  for (int i = 0; i < 5; ++i) one_.Ask(Entry(absl::StrCat(i)));
  const absl::Duration first = *one_.Ask(Entry("first"))->later;
  for (int i = 0; i < 4; ++i) {
    EXPECT_LE(*two_.Ask(Entry(absl::StrCat("early ", i)))->later, first);
  }
  EXPECT_GT(*two_.Ask(Entry("late"))->later, first + absl::Minutes(4));
  // Who asks again is told the same.
  EXPECT_LE(*two_.Ask(Entry("first"))->later, first);
}

TEST_F(SharedLedgerTest, WhatItToldComesTrue) {
  // A short window, so that the time comes.
  const auto entry = [&](int number) {
    LedgerEntry entry = Entry(absl::StrCat(number));
    entry.window = absl::Milliseconds(600);
    return entry;
  };
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) ASSERT_FALSE(one_.Ask(entry(i))->later.has_value());
  ASSERT_TRUE(two_.Ask(entry(5))->later.has_value());
  // A stranger who asks all the while does not take the place.
  std::optional<absl::Duration> later;
  do {
    two_.Ask(entry(6));
    later = one_.Ask(entry(5))->later;
  } while (later.has_value());
  EXPECT_GE(absl::FromChrono(std::chrono::steady_clock::now() - began), absl::Milliseconds(600));
}

TEST_F(SharedLedgerTest, NoMoreThanTheLimitAreGrantedHoweverManyAskAtOnce) {
  std::atomic<int> granted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        LedgerEntry entry = Entry(absl::StrCat(t, "/", i));
        entry.limit = 150;
        if (!(t % 2 == 0 ? one_ : two_).Ask(std::move(entry))->later.has_value()) ++granted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(granted, 150);
}

TEST_F(SharedLedgerTest, RedisShowsNeitherCredentialNorQuestionAndForgetsThem) {
  for (int i = 0; i < 7; ++i) one_.Ask(Entry(absl::StrCat("/pcaps/canary", i)));
  const std::string keys = server_.Cli({"KEYS", "*"});
  EXPECT_THAT(keys, HasSubstr("pcap-gateway:v1:"));
  for (const absl::string_view key : {":spent", ":promised", ":replicas"}) {
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
