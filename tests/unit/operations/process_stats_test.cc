#include "service/operations/process_stats.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace pcap_gateway {
namespace {

TEST(ProcessStats, CountsOpenFiles) {
  const int64_t before = ReadProcessStats().open_fds;
  const int file = open("/dev/null", O_RDONLY);
  EXPECT_EQ(ReadProcessStats().open_fds, before + 1);
  close(file);
  EXPECT_EQ(ReadProcessStats().open_fds, before);
  EXPECT_GT(ReadProcessStats().max_fds, before);
}

TEST(ProcessStats, CountsMemory) {
  constexpr size_t kBytes = 64 << 20;
  const ProcessStats before = ReadProcessStats();
  void* const memory =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kBytes);
  const ProcessStats after = ReadProcessStats();
  munmap(memory, kBytes);
  // Others may have gone meanwhile.
  constexpr auto kMost = static_cast<int64_t>(kBytes) / 2;
  EXPECT_GE(after.virtual_bytes, before.virtual_bytes + kMost);
  EXPECT_GE(after.resident_bytes, before.resident_bytes + kMost);
}

TEST(ProcessStats, KnowsWhenTheProcessBegan) {
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  EXPECT_LE(ReadProcessStats().start_time, now + 2);
  EXPECT_GT(ReadProcessStats().start_time, now - 3600);
}

}  // namespace
}  // namespace pcap_gateway
