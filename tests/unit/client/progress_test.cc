#include "client/pcapctl/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace pcap_client {
namespace {

constexpr char kClearLine[] = "\r\x1b[2K";

std::string Shown(size_t width, const std::string& now) {
  std::ostringstream out;
  Progress progress(out, /*is_terminal=*/true, [=] { return width; });
  progress.Show(now, "", absl::Seconds(65));
  return out.str().substr(sizeof kClearLine - 1);
}

TEST(Progress, FitsTheTerminalAndKeepsTheTime) {
  EXPECT_EQ(Shown(30, "abc  running"), "abc  running  1 min 5 s");
  EXPECT_EQ(Shown(20, "abc  running"), "abc  ru…  1 min 5 s");
  EXPECT_EQ(Shown(12, "abc  running"), "  1 min 5 s");
  EXPECT_EQ(Shown(8, "abc  running"), "  1 mi…");
  EXPECT_EQ(Shown(1, "abc"), "");
  EXPECT_EQ(Shown(20, "日本語日本語"), "日本語…  1 min 5 s");
  EXPECT_EQ(Shown(0, std::string(200, 'x')).size(), 78u + std::string("…").size());
}

TEST(Progress, LeavesWhatFailedOnTheTerminal) {
  std::ostringstream out;
  Progress progress(out, /*is_terminal=*/true, [] { return 80; });
  progress.Show("running", "", absl::ZeroDuration());
  progress.Note("failed\n");
  progress.Clear();
  EXPECT_EQ(out.str(), "\r\x1b[2Krunning  0 s\r\x1b[2Kfailed\n");
}

}  // namespace
}  // namespace pcap_client
