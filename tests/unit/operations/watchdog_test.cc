#include "service/operations/watchdog.h"

#include <gtest/gtest.h>

#include <chrono>

#include "absl/time/time.h"

namespace pcap_gateway {
namespace {

using std::chrono::milliseconds;

class WatchdogTest : public testing::Test {
 protected:
  Watchdog WithLimit(absl::Duration limit) {
    return Watchdog(
        limit,
        [this] {
          ++asked_;
          return well_;
        },
        [this] { ++told_; });
  }

  Watchdog::Time now_{std::chrono::hours(1)};
  bool well_ = true;
  int asked_ = 0;
  int told_ = 0;
};

TEST_F(WatchdogTest, TellsAtOnceAndThenEachQuarterOfTheLimit) {
  Watchdog watchdog = WithLimit(absl::Seconds(2));
  EXPECT_EQ(watchdog.Left(now_), absl::ZeroDuration());
  watchdog.Look(now_);
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(watchdog.Left(now_), absl::Milliseconds(500));
  watchdog.Look(now_ + milliseconds(499));
  EXPECT_EQ(told_, 1);
  watchdog.Look(now_ + milliseconds(500));
  EXPECT_EQ(told_, 2);
}

TEST_F(WatchdogTest, TellsNothingWhileThingsAreNotWell) {
  Watchdog watchdog = WithLimit(absl::Seconds(2));
  well_ = false;
  for (int look = 0; look < 8; ++look) watchdog.Look(now_ + look * milliseconds(500));
  EXPECT_EQ(asked_, 8);
  EXPECT_EQ(told_, 0);
  well_ = true;
  watchdog.Look(now_ + milliseconds(4000));
  EXPECT_EQ(told_, 1);
}

TEST_F(WatchdogTest, DoesNothingWhereNobodyListens) {
  Watchdog watchdog = WithLimit(absl::InfiniteDuration());
  EXPECT_EQ(watchdog.Left(now_), absl::InfiniteDuration());
  watchdog.Look(now_);
  EXPECT_EQ(asked_, 0);
}

TEST_F(WatchdogTest, AWaitThatCameTooLateLeavesNothingNegative) {
  Watchdog watchdog = WithLimit(absl::Seconds(2));
  watchdog.Look(now_);
  EXPECT_EQ(watchdog.Left(now_ + std::chrono::hours(1)), absl::ZeroDuration());
}

}  // namespace
}  // namespace pcap_gateway
