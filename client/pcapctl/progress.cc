#include "client/pcapctl/progress.h"

#include "absl/strings/str_cat.h"
#include "client/pcapctl/human_duration.h"

namespace pcap_client {
namespace {

// To the line's beginning, and all of it away.
constexpr char kClearLine[] = "\r\x1b[2K";

}  // namespace

Progress::~Progress() { Clear(); }

void Progress::Show(absl::string_view now, const std::string& changes, absl::Duration elapsed) {
  if (!is_terminal_) {
    out_ << changes << std::flush;
    return;
  }
  const std::string time = HumanDuration(absl::Trunc(elapsed, absl::Seconds(1)));
  out_ << kClearLine << absl::StrCat(now, "  ", time) << std::flush;
  shown_ = true;
}

void Progress::Clear() {
  if (shown_) out_ << kClearLine << std::flush;
  shown_ = false;
}

}  // namespace pcap_client
