#include "service/operations/descriptor_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace pcap_gateway {
namespace {

TEST(DescriptorLimitTest, TheSoftLimitBecomesTheHardOne) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = 100, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const int64_t raised = RaiseDescriptorLimit();
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_EQ(after.rlim_max, before.rlim_max);
  EXPECT_GE(raised, 100);
  EXPECT_LE(static_cast<rlim_t>(raised), after.rlim_cur);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(DescriptorLimitTest, SomeDescriptorsAreKeptForTheRestOfTheProcess) {
  EXPECT_EQ(ConnectionsWithin(1'048'576), 1'048'576 - 512);
  EXPECT_EQ(ConnectionsWithin(20'000), 19'488);
  EXPECT_EQ(ConnectionsWithin(1024), 512);
  EXPECT_EQ(ConnectionsWithin(256), 128);
  EXPECT_EQ(ConnectionsWithin(1), 1);
}

}  // namespace
}  // namespace pcap_gateway
