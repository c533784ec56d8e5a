// Option names: the variables that stand for options, and what somebody meant who mistyped one.
#ifndef PCAP_GATEWAY_SERVICE_OPTION_NAMES_H_
#define PCAP_GATEWAY_SERVICE_OPTION_NAMES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

// PCAP_GATEWAY_CACHE_BYTES of `cache-bytes`.
std::string VariableOf(absl::string_view option);

// Of the names of variables that begin with PCAP_GATEWAY_, those that stand for no option, each
// with what may have been meant: "PCAP_GATEWAY_LOG_LEVLE: there is no such option; did you mean
// PCAP_GATEWAY_LOG_LEVEL?". Not those that Kubernetes sets for services whose name begins with
// pcap-gateway ("service links"). Their values are not looked at.
std::vector<std::string> UnknownVariables(const std::vector<std::string>& variables,
                                          const std::vector<std::string>& options);

// The one of `known` that `name` is a slip of: two letters wrong, missing, too many or swapped at
// most, and of a short name fewer. Empty: none.
std::string MeantBy(absl::string_view name, const std::vector<std::string>& known);

// "; did you mean --log-level?", or "" where nothing is near.
std::string DidYouMean(absl::string_view name, const std::vector<std::string>& known);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPTION_NAMES_H_
