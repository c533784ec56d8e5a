#include "service/rpc/usable_cores.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace pcap_gateway {
namespace {

// What the kernel shows.
class UsableCoresTest : public testing::Test {
 protected:
  UsableCoresTest() {
    std::string name = testing::TempDir() + "cores-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = name;
  }
  ~UsableCoresTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << content << "\n";
  }

  std::string root_;
};

TEST_F(UsableCoresTest, AContainerHasTheQuotaOfItsGroup) {
  Write("/proc/self/cgroup", "0::/");
  Write("/sys/fs/cgroup/cpu.max", "150000 100000");
  EXPECT_EQ(CpuQuota(root_), 1.5);
}

TEST_F(UsableCoresTest, OfAGroupAndThoseAboveItTheLeastCounts) {
  Write("/proc/self/cgroup", "0::/system.slice/gateway.service");
  Write("/sys/fs/cgroup/system.slice/gateway.service/cpu.max", "max 100000");
  Write("/sys/fs/cgroup/system.slice/cpu.max", "400000 100000");
  EXPECT_EQ(CpuQuota(root_), 4);
  Write("/sys/fs/cgroup/system.slice/gateway.service/cpu.max", "100000 50000");
  EXPECT_EQ(CpuQuota(root_), 2);
}

TEST_F(UsableCoresTest, Version1IsKnownToo) {
  Write("/proc/self/cgroup", "7:memory:/a\n3:cpu,cpuacct:/docker/0a1b\n0::/");
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/0a1b/cpu.cfs_quota_us", "50000");
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/0a1b/cpu.cfs_period_us", "100000");
  EXPECT_EQ(CpuQuota(root_), 0.5);
}

// The host's name for the group, which is the uppermost one here.
TEST_F(UsableCoresTest, AGroupThatIsNotShownIsTheUppermost) {
  Write("/proc/self/cgroup", "3:cpu,cpuacct:/docker/0a1b");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000");
  EXPECT_EQ(CpuQuota(root_), 3);
}

TEST_F(UsableCoresTest, WhereNothingIsSaidThereIsNoQuota) {
  EXPECT_EQ(CpuQuota(root_), std::nullopt);
  Write("/proc/self/cgroup", "nonsense\n0::/a/b");
  EXPECT_EQ(CpuQuota(root_), std::nullopt);
  for (const char* said : {"max 100000", "", "x", "0 100000", "-1 100000", "1 0", "1", "1 2 3"}) {
    Write("/sys/fs/cgroup/a/cpu.max", said);
    EXPECT_EQ(CpuQuota(root_), std::nullopt) << said;
  }
}

TEST_F(UsableCoresTest, ThereIsAlwaysOne) {
  EXPECT_GE(UsableCores(), 1u);
  EXPECT_LE(UsableCores(), std::thread::hardware_concurrency());
}

}  // namespace
}  // namespace pcap_gateway
