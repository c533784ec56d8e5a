// Console: where a command's answer, its errors and its progress go, and the exit codes.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_CONSOLE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_CONSOLE_H_

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/pcapctl/palette.h"
#include "pcap_client/call_error.h"

namespace pcap_client {

inline constexpr int kUsageError = 2;

// What stdout and stderr are, and how they may be written to.
struct Console {
  Palette out;  // of stdout
  bool err_is_terminal = false;
  // Says of a call's error what only asking around can tell; may block. Empty: nothing.
  std::function<CallError(CallError)> explain;

  CallError Explained(CallError error) const { return explain ? explain(std::move(error)) : error; }
};

int ExitCode(absl::StatusCode code);

// How many columns stderr's terminal has now; 0: not known.
size_t WidthOfStderr();

// Each writes to stderr and returns the exit code. `subject`: what the error is about, where there
// are several; empty: it is clear.
int Fail(const CallError& error, absl::string_view subject = "");
int Fail(const absl::Status& status);
int FailUsage(absl::string_view message);

// Writes to stdout. False: it could not be written; that has been told on stderr. A disk that is
// full must not look like an answer.
[[nodiscard]] bool Print(const std::string& text);

// Print as the last thing that a command does: its exit code, or that of the failure.
int PrintAndExit(const std::string& text, int exit_code = 0);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_CONSOLE_H_
