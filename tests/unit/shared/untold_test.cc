#include "service/shared/untold.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_clock.h"

namespace pcap_gateway {
namespace {

// Else somebody who makes many things happen could have one of them forgotten.
TEST(UntoldTest, WhatThereIsNoRoomForCountsRatherTooLate) {
  FakeClock clock;
  Untold<> untold(clock);
  EXPECT_EQ(untold.Find("0"), std::nullopt);
  const absl::Time begin = clock.Now();
  for (int i = 0; i < 1010; ++i) {
    untold.Remember(std::to_string(i), clock.Now());
    clock.Advance(absl::Seconds(1));
  }
  const absl::Time forgotten = begin + absl::Seconds(9);
  EXPECT_EQ(untold.Find("0"), forgotten);
  EXPECT_EQ(untold.Find("that never happened"), forgotten);
  EXPECT_EQ(untold.Find("10"), begin + absl::Seconds(10));
  EXPECT_EQ(untold.Find("1009"), begin + absl::Seconds(1009));
}

}  // namespace
}  // namespace pcap_gateway
