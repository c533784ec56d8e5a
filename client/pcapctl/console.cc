#include "client/pcapctl/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/pcapctl/print_error.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {

int ExitCode(absl::StatusCode code) { return static_cast<int>(code); }

size_t WidthOfStderr() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int Fail(const CallError& error, absl::string_view subject) {
  std::cerr << ErrorLines(error, subject);
  return ExitCode(error.code);
}

int Fail(const absl::Status& status) {
  return Fail({.code = status.code(), .message = std::string(status.message())});
}

int FailUsage(absl::string_view message) {
  std::cerr << "pcapctl: " << TerminalText(absl::StripAsciiWhitespace(message))
            << " (see pcapctl --help)\n";
  return kUsageError;
}

bool Print(const std::string& text) {
  std::cout << text << std::flush;
  if (std::cout.good()) return true;
  Fail({.code = absl::StatusCode::kDataLoss, .message = "cannot write to stdout"});
  return false;
}

int PrintAndExit(const std::string& text, int exit_code) {
  return Print(text) ? exit_code : ExitCode(absl::StatusCode::kDataLoss);
}

}  // namespace pcap_client
