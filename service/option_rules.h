// Option rules: what options say only together, and what the environment adds to them.
#ifndef PCAP_GATEWAY_SERVICE_OPTION_RULES_H_
#define PCAP_GATEWAY_SERVICE_OPTION_RULES_H_

#include <functional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/option_table.h"
#include "service/options.h"

namespace pcap_gateway {

// Looks a variable up; nullptr where it is not set.
using Environment = std::function<const char*(const char*)>;

// A variable that is not named after an option of ours; "" where it is not set. An empty one counts
// as not set: that is what a container's environment is given for a value that somebody left out.
absl::string_view CommonVariable(const Environment& environment, const char* name);

// The options of a draft whose rows are all read, with the gateway's own credential from its file
// or from the environment. The error is that of the first rule that does not hold, after the name
// of an option or a variable. Reads files.
absl::StatusOr<Options> OptionsFrom(OptionDraft draft, const Environment& environment);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPTION_RULES_H_
