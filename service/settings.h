// Settings: what each option is set to and by whom, as it may be shown to an operator.
#ifndef PCAP_GATEWAY_SERVICE_SETTINGS_H_
#define PCAP_GATEWAY_SERVICE_SETTINGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

struct Setting {
  std::string name;   // of the option, without dashes
  std::string value;  // as ShownValue has it
  // `the command line`, a variable's name, or `FILE, line N`; empty: nobody set it, so `value` is
  // the default.
  std::string source;
};

// An option's value as it may stand in a message, a log and on a page: one line, no longer than a
// path may be, without user names and passwords of URLs, and `REDACTED` for what may be a token.
std::string ShownValue(absl::string_view name, absl::string_view value);

// The status with the option's name before its message: `--cache-bytes: …`. A good one as it is.
absl::Status OfOption(absl::string_view option, const absl::Status& status);

// The status whose message begins with an option's name, `--cache-bytes: …`, with what that option
// is set to and by whom at its end. Any other status as it is.
absl::Status Explained(const absl::Status& status, const std::vector<Setting>& settings);

// `cache-bytes=1MiB (PCAP_GATEWAY_CACHE_BYTES), …`: those that are not at their defaults.
std::string SummaryOf(const std::vector<Setting>& settings);

// All of them, as JSON: `{"version": …, "options": [{"name": …, "value": …, "source": …}]}`, where
// the source of a default is `default`.
std::string JsonOf(const std::vector<Setting>& settings, absl::string_view version);

// The exit code of a start that the status ends: 2 where what was asked for can never work, a word,
// a value or a file's content; 1 where the surroundings are not ready, so that a supervisor tries
// again.
int ExitCodeOf(const absl::Status& status);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SETTINGS_H_
