#include "service/rpc/usable_cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace pcap_gateway {
namespace {

// The first line; empty: there is no such file.
std::string LineOf(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Microseconds of CPU in a period of so many; absent: any number.
std::optional<double> Ratio(absl::string_view quota, absl::string_view period) {
  int64_t numerator = 0;
  int64_t denominator = 0;
  const bool limited = absl::SimpleAtoi(quota, &numerator) && numerator > 0 &&
                       absl::SimpleAtoi(period, &denominator) && denominator > 0;
  if (!limited) return std::nullopt;
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

std::optional<double> QuotaIn(const std::string& folder, bool is_version_2) {
  if (!is_version_2) {
    return Ratio(LineOf(folder + "/cpu.cfs_quota_us"), LineOf(folder + "/cpu.cfs_period_us"));
  }
  const std::vector<std::string> words = absl::StrSplit(LineOf(folder + "/cpu.max"), ' ');
  return words.size() == 2 ? Ratio(words[0], words[1]) : std::nullopt;
}

// Of the group and those above it the least. A container sees its own group as the uppermost, under
// whatever name the host has for it.
std::optional<double> LeastQuota(const std::string& mount, std::string group, bool is_version_2) {
  std::optional<double> least;
  while (true) {
    const std::optional<double> quota = QuotaIn(mount + group, is_version_2);
    if (quota.has_value()) least = std::min(least.value_or(*quota), *quota);
    if (group.empty()) return least;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

}  // namespace

std::optional<double> CpuQuota(const std::string& root) {
  // ID:CONTROLLERS:/GROUP, without controllers for version 2.
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    const bool is_version_2 = parts[1].empty();
    const bool counts = is_version_2 || std::find(controllers.begin(), controllers.end(), "cpu") !=
                                            controllers.end();
    if (!counts) continue;
    const std::string mount =
        absl::StrCat(root, "/sys/fs/cgroup", is_version_2 ? "" : absl::StrCat("/", parts[1]));
    const std::optional<double> quota =
        LeastQuota(mount, parts[2] == "/" ? "" : parts[2], is_version_2);
    if (quota.has_value()) return quota;
  }
  return std::nullopt;
}

unsigned UsableCores() {
  unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t allowed;
  // Fails on a machine of more than 1024.
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) cores = CPU_COUNT(&allowed);
  if (const std::optional<double> quota = CpuQuota(); quota.has_value() && *quota < cores) {
    cores = static_cast<unsigned>(std::ceil(*quota));
  }
  return std::max(1U, cores);
}

}  // namespace pcap_gateway
