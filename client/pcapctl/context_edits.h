// Edits of the contexts' file, from its YAML to its new YAML. Comments are lost, the order stays.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXT_EDITS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXT_EDITS_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/pcapctl/settings.h"

namespace pcap_client {

// With the context `name`, whose keys are what `settings` says. The first of a file becomes its
// current one. INVALID_ARGUMENT: the name is taken or cannot be one, or a text does not print.
absl::StatusOr<std::string> WithContext(const std::string& yaml, const std::string& name,
                                        const Settings& settings);

// With `name` as the current one. INVALID_ARGUMENT: there is none of that name.
absl::StatusOr<std::string> WithCurrentContext(const std::string& yaml, const std::string& name);

// Without the context `name`; was it the current one, there is none then. INVALID_ARGUMENT: there
// is none of that name.
absl::StatusOr<std::string> WithoutContext(const std::string& yaml, const std::string& name);

// Whether an edit of `yaml`, which ParseContextFile has accepted, loses comments.
bool HasComments(const std::string& yaml);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_CONTEXT_EDITS_H_
