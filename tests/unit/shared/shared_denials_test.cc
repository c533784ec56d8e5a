#include "service/shared/shared_denials.h"

#include <gtest/gtest.h>

#include <memory>

#include "absl/time/clock.h"
#include "service/loop/event_loop.h"
#include "tests/support/event.h"
#include "tests/support/fake_clock.h"
#include "tests/support/queries.h"
#include "tests/support/redis_server.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

// Where its clock is set back, nobody can tell when that was that it had been told before.
TEST(SharedDenialsTest, WhereTheClockWasSetBackADenialCountsAsOfNow) {
  const RedisServer server;
  const std::unique_ptr<EventLoop> loop = *EventLoop::Start();
  const std::shared_ptr<RedisClient> redis = RedisClient::Start(
      *loop, {.url = *RedisUrlFrom(server.url()), .command_timeout = absl::Seconds(10)});
  ASSERT_TRUE(Until([&] { return redis->stats().up.load(); }));
  FakeClock clock;
  Counter corrupt;
  SharedDenials denials(*redis, clock, corrupt);
  const Query query = QueryFor(1);
  SharedDenials::StandingsPtr standings;
  Event told;
  loop->Post([&] {
    standings = denials.Of(query);
    denials.Deny(*standings, query.credential, /*everything=*/true,
                 std::shared_ptr<void>(nullptr, [&](void*) { told.Happen(); }));
  });
  ASSERT_TRUE(told.Await());
  const absl::Time set_back = absl::Now() - absl::Hours(1);
  const auto void_before = [&](absl::Time now) {
    absl::Time before;
    loop->Run([&] {
      before = denials.Read(*standings, query.credential, "", "", {now, clock.Now()}).void_before;
    });
    return before;
  };
  EXPECT_EQ(void_before(set_back), set_back);
  clock.Advance(absl::Minutes(1));
  EXPECT_EQ(void_before(set_back + absl::Minutes(1)), set_back);
  redis->Stop();
  loop->Stop();
}

}  // namespace
}  // namespace pcap_gateway
