#include "service/rpc/call.h"

#include <gtest/gtest.h>

namespace pcap_gateway {
namespace {

TEST(TimeToAnswer, LeavesAFifthOfAShortDeadlineForTheWayBack) {
  EXPECT_EQ(TimeToAnswer(absl::Milliseconds(100)), absl::Milliseconds(80));
}

TEST(TimeToAnswer, LeavesFiftyMillisecondsOfALongOne) {
  EXPECT_EQ(TimeToAnswer(absl::Seconds(10)), absl::Milliseconds(9950));
}

TEST(TimeToAnswer, OfADeadlineThatHasPassedIsNow) {
  EXPECT_LE(TimeToAnswer(absl::Milliseconds(-5)), absl::ZeroDuration());
}

}  // namespace
}  // namespace pcap_gateway
