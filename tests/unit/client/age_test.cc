#include "client/pcapctl/age.h"

#include <gtest/gtest.h>

namespace pcap_client {
namespace {

TEST(Age, IsInItsLargestUnit) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(AgeText(now, now), "0 s");
  EXPECT_EQ(AgeText(now - absl::Milliseconds(59'999), now), "59 s");
  EXPECT_EQ(AgeText(now - absl::Seconds(61), now), "1 min");
  EXPECT_EQ(AgeText(now - absl::Minutes(119), now), "1 h");
  EXPECT_EQ(AgeText(now - absl::Hours(30), now), "30 h");
  EXPECT_EQ(AgeText(now - absl::Hours(49), now), "2 d");
  EXPECT_EQ(AgeText(now + absl::Seconds(90), now), "in 1 min");
}

TEST(Age, StandsBesideTheTime) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(WithAge("2023-11-14T22:12:20Z", now), "2023-11-14T22:12:20Z (1 min ago)");
  EXPECT_EQ(WithAge("2023-11-14T22:14:20Z", now), "2023-11-14T22:14:20Z (in 1 min)");
  EXPECT_EQ(WithAge("soon", now), "soon");
}

}  // namespace
}  // namespace pcap_client
