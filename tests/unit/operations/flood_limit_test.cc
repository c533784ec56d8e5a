#include "service/operations/flood_limit.h"

#include <gtest/gtest.h>

namespace pcap_gateway {
namespace {

// How many of `events` at that moment get through.
int Through(FloodLimit& limit, int events, absl::Time now) {
  int through = 0;
  for (int i = 0; i < events; ++i) through += limit.Take(now) ? 1 : 0;
  return through;
}

TEST(FloodLimit, LetsTheFirstThroughAndThenAFewEachSecond) {
  FloodLimit limit;
  absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(Through(limit, 50'000, now), 100);
  EXPECT_EQ(limit.TakeHeldBack(), 49'900);
  EXPECT_EQ(limit.TakeHeldBack(), 0);
  now += absl::Seconds(1);
  EXPECT_EQ(Through(limit, 50'000, now), 10);
  EXPECT_EQ(limit.TakeHeldBack(), 49'990);
  now += absl::Milliseconds(500);
  EXPECT_EQ(Through(limit, 50'000, now), 5);
}

TEST(FloodLimit, HoldsNothingBackWhileEventsAreFew) {
  FloodLimit limit;
  absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_TRUE(limit.Take(now));
    now += absl::Milliseconds(101);
  }
  EXPECT_EQ(limit.TakeHeldBack(), 0);
}

TEST(FloodLimit, AClockThatGoesBackMakesNoRoom) {
  FloodLimit limit;
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(Through(limit, 100, now), 100);
  EXPECT_EQ(Through(limit, 100, now - absl::Hours(1)), 0);
  EXPECT_EQ(Through(limit, 100, now), 0);
  EXPECT_EQ(Through(limit, 100, now + absl::Seconds(1)), 10);
}

}  // namespace
}  // namespace pcap_gateway
