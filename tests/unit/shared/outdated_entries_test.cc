#include "service/shared/outdated_entries.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "service/loop/event_loop.h"
#include "tests/support/event.h"
#include "tests/support/fake_clock.h"
#include "tests/support/redis_server.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

class OutdatedEntriesTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(AwaitUp(true)); }
  ~OutdatedEntriesTest() override {
    redis_->Stop();
    loop_->Stop();
  }

  [[nodiscard]] bool AwaitUp(bool up) {
    return Until([&] { return redis_->stats().up.load() == up; });
  }

  void Outdate(const std::string& name) {
    Event told;
    loop_->Post([&] {
      outdated_.Outdate({{"entry", name}}, absl::ZeroDuration(), [&] { told.Happen(); });
    });
    ASSERT_TRUE(told.Await());
  }

  // `held`: what Redis is said to hold.
  absl::Time CountsSince(const std::string& name, absl::Time redis_now,
                         const std::string& held = "") {
    absl::Time since;
    loop_->Run([&] {
      since = outdated_.CountsSince(name, held, {.now = redis_now, .sent_at = clock_.Now()});
    });
    return since;
  }

  FakeClock clock_;
  RedisServer server_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Start();
  std::shared_ptr<RedisClient> redis_ = RedisClient::Start(
      *loop_, {.url = *RedisUrlFrom(server_.url()), .command_timeout = absl::Seconds(10)});
  OutdatedEntries outdated_{*redis_, clock_, absl::Hours(1)};
};

// What is asked for in the same microsecond may have been asked for before.
constexpr absl::Duration kNext = absl::Microseconds(1);

std::string Word(absl::Time time) { return std::to_string(absl::ToUnixMicros(time)); }

TEST_F(OutdatedEntriesTest, WhatRedisHoldsCounts) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(CountsSince("word", now), absl::InfinitePast());
  for (const absl::Duration ahead : {-absl::Hours(1), absl::ZeroDuration(), kWriting}) {
    EXPECT_EQ(CountsSince("word", now, Word(now + ahead)), now + ahead + kNext);
  }
}

// Somebody spoilt it, or the clock was set back: it may have been any time until now.
TEST_F(OutdatedEntriesTest, WhatRedisHoldsThatIsNoTimeUntilNowCountsAsNow) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  for (const std::string& held :
       {std::string("x"), std::string("99999999999999999999"), Word(now + absl::Hours(1))}) {
    server_.Cli({"SET", "word", held});
    EXPECT_EQ(CountsSince("word", now, held), now + kNext);
    loop_->Run([&] { outdated_.TellUntold(); });
    EXPECT_TRUE(Until([&] { return !server_.Cli({"GET", "word"}).starts_with(held); }));
  }
}

// Whatever becomes of the word.
TEST_F(OutdatedEntriesTest, TheWritersOwnEntryGoes) {
  server_.Cli({"SET", "entry", "before"});
  Outdate("word");
  EXPECT_EQ(server_.Cli({"EXISTS", "entry"}).front(), '0');
}

TEST_F(OutdatedEntriesTest, WhatRedisWasToldCountsByItsClock) {
  const absl::Time before = absl::Now();
  Outdate("word");
  const absl::Time after = absl::Now();
  const absl::Time since = CountsSince("word", after);
  EXPECT_GE(since, absl::FromUnixMicros(absl::ToUnixMicros(before)) + kNext);
  EXPECT_LE(since, after + kNext);
  // However late that is asked.
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(CountsSince("word", after + absl::Hours(2)), since);
  EXPECT_EQ(CountsSince("another", after), absl::InfinitePast());
}

TEST_F(OutdatedEntriesTest, WhatRedisWasNotToldCountsByOurs) {
  server_.Kill();
  ASSERT_TRUE(AwaitUp(false));
  Outdate("word");
  clock_.Advance(absl::Seconds(3));
  const absl::Time redis_now = absl::Now();
  EXPECT_EQ(CountsSince("word", redis_now), redis_now - absl::Seconds(3));
}

// Nobody can tell when that was, so all that was asked for until now is void; what is asked for
// from now on counts.
TEST_F(OutdatedEntriesTest, WhereTheClockWasSetBackAWriteCountsAsOfNow) {
  Outdate("word");
  const absl::Time set_back = absl::Now() - absl::Hours(1);
  EXPECT_EQ(CountsSince("word", set_back), set_back + kNext);
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(CountsSince("word", set_back + absl::Minutes(1)), set_back + kNext);
}

}  // namespace
}  // namespace pcap_gateway
