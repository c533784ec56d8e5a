#include "client/pcapctl/human_duration.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace pcap_client {
namespace {

TEST(HumanDuration, IsWrittenInTheUnitsPeopleUse) {
  EXPECT_EQ(HumanDuration(absl::Seconds(1)), "1 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(59)), "59 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(300)), "5 min");
  EXPECT_EQ(HumanDuration(absl::Seconds(3661)), "1 h 1 min 1 s");
  EXPECT_EQ(HumanDuration(absl::Hours(49)), "2 d 1 h");
}

TEST(HumanDuration, LosesNothing) {
  EXPECT_EQ(HumanDuration(absl::Milliseconds(1500)), "1.5 s");
  EXPECT_EQ(HumanDuration(absl::Minutes(1) + absl::Nanoseconds(1)), "1 min 0.000000001 s");
}

TEST(HumanDuration, NoneAtAllIsZeroSeconds) {
  EXPECT_EQ(HumanDuration(absl::ZeroDuration()), "0 s");
}

TEST(HumanDuration, TakesWhateverAnAnswerHolds) {
  EXPECT_EQ(HumanDuration(absl::Seconds(-90)), "-1 min 30 s");
  EXPECT_EQ(HumanDuration(absl::InfiniteDuration()), "inf");
  EXPECT_EQ(HumanDuration(-absl::InfiniteDuration()), "-inf");
  const int64_t least = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(HumanDuration(absl::Seconds(least)).front(), '-');
}

}  // namespace
}  // namespace pcap_client
