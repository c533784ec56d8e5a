#include "service/operations/process_stats.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {
namespace {

std::string ContentOf(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();  // an iterator would throw where reading fails
  return std::move(text).str();
}

// Of /proc/self/stat, numbered as in proc(5) from 1 on; the second one, the program's name, may
// hold blanks and brackets, so what is counted begins behind it.
int64_t StatField(const std::vector<absl::string_view>& from_third, size_t number) {
  int64_t value = 0;
  const size_t index = number - 3;
  return index < from_third.size() && absl::SimpleAtoi(from_third[index], &value) ? value : 0;
}

// When the machine came up, Unix time.
int64_t BootTime() {
  const std::string stat = ContentOf("/proc/stat");
  for (const absl::string_view line : absl::StrSplit(stat, '\n')) {
    int64_t time = 0;
    if (line.substr(0, 6) == "btime " && absl::SimpleAtoi(line.substr(6), &time)) return time;
  }
  return 0;
}

int64_t OpenFiles() {
  std::error_code error;
  int64_t count = 0;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // without the one that looks
}

}  // namespace

int64_t ResidentBytes() {
  const std::vector<std::string> pages = absl::StrSplit(ContentOf("/proc/self/statm"), ' ');
  int64_t resident = 0;
  if (pages.size() < 2 || !absl::SimpleAtoi(pages[1], &resident)) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

ProcessStats ReadProcessStats() {
  constexpr size_t kUserTime = 14, kSystemTime = 15, kStart = 22, kVirtual = 23;
  ProcessStats stats;
  const std::string text = ContentOf("/proc/self/stat");
  const size_t name_ends = text.rfind(')');
  if (name_ends != std::string::npos) {
    const std::vector<absl::string_view> fields =
        absl::StrSplit(absl::string_view(text).substr(name_ends + 1), ' ', absl::SkipEmpty());
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    stats.cpu_seconds =
        static_cast<double>(StatField(fields, kUserTime) + StatField(fields, kSystemTime)) / ticks;
    stats.start_time =
        static_cast<double>(BootTime()) + static_cast<double>(StatField(fields, kStart)) / ticks;
    stats.virtual_bytes = StatField(fields, kVirtual);
  }
  stats.resident_bytes = ResidentBytes();
  stats.open_fds = OpenFiles();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = static_cast<int64_t>(limit.rlim_cur);
  return stats;
}

}  // namespace pcap_gateway
