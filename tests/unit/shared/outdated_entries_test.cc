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
    loop_->Post([&] { outdated_.Outdate({name}, absl::ZeroDuration(), [&] { told.Happen(); }); });
    ASSERT_TRUE(told.Await());
  }

  absl::Time CountsSince(const std::string& name, absl::Time redis_now) {
    absl::Time since;
    loop_->Run([&] {
      since = outdated_.CountsSince(name, {.now = redis_now, .sent_at = clock_.Now()});
    });
    return since;
  }

  FakeClock clock_;
  RedisServer server_;
  std::unique_ptr<EventLoop> loop_ = *EventLoop::Start();
  std::shared_ptr<RedisClient> redis_ = RedisClient::Start(
      *loop_, {.url = *RedisUrlFrom(server_.url()), .command_timeout = absl::Seconds(10)});
  OutdatedEntries outdated_{*redis_, clock_};
};

TEST_F(OutdatedEntriesTest, WhatRedisWasToldCountsByItsClock) {
  const absl::Time before = absl::Now();
  Outdate("entry");
  const absl::Time after = absl::Now();
  const absl::Time since = CountsSince("entry", after);
  EXPECT_GE(since, absl::FromUnixMicros(absl::ToUnixMicros(before)));
  EXPECT_LE(since, after);
  // However late that is asked.
  EXPECT_EQ(CountsSince("entry", after + absl::Hours(1)), since);
  EXPECT_EQ(CountsSince("another", after), absl::InfinitePast());
}

TEST_F(OutdatedEntriesTest, WhatRedisWasNotToldCountsByOurs) {
  server_.Kill();
  ASSERT_TRUE(AwaitUp(false));
  Outdate("entry");
  clock_.Advance(absl::Seconds(3));
  const absl::Time redis_now = absl::Now();
  EXPECT_EQ(CountsSince("entry", redis_now), redis_now - absl::Seconds(3));
}

// Else nothing would count until it is that time again.
TEST_F(OutdatedEntriesTest, ATimeFromBeforeTheClockWasSetBackDoesNotCount) {
  Outdate("entry");
  EXPECT_EQ(CountsSince("entry", absl::Now() - absl::Hours(1)), absl::InfinitePast());
}

}  // namespace
}  // namespace pcap_gateway
