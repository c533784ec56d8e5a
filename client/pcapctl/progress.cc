#include "client/pcapctl/progress.h"

#include "absl/strings/str_cat.h"
#include "client/pcapctl/human_duration.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

// To the line's beginning, and all of it away.
constexpr char kClearLine[] = "\r\x1b[2K";

constexpr size_t kUsualWidth = 80;

}  // namespace

Progress::~Progress() { Clear(); }

void Progress::Note(const std::string& lines) {
  if (lines.empty()) return;
  Clear();
  out_ << lines << std::flush;
}

void Progress::Show(absl::string_view now, const std::string& changes, absl::Duration elapsed) {
  if (!is_terminal_) {
    out_ << changes << std::flush;
    return;
  }
  const std::string time =
      absl::StrCat("  ", HumanDuration(absl::Trunc(elapsed, absl::Seconds(1))));
  const size_t width = width_();
  // The last column stays free: some terminals begin a new line when it is written to.
  const size_t room = (width == 0 ? kUsualWidth : width) - 1;
  const size_t left = room > time.size() ? room - time.size() : 0;
  out_ << kClearLine << CutToColumns(absl::StrCat(CutToColumns(now, left), time), room)
       << std::flush;
  shown_ = true;
}

void Progress::Clear() {
  if (shown_) out_ << kClearLine << std::flush;
  shown_ = false;
}

}  // namespace pcap_client
