// `pcapctl list`.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_LIST_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_LIST_COMMAND_H_

#include <optional>

#include "absl/time/time.h"
#include "client/pcapctl/output_format.h"
#include "client/pcapctl/session.h"

namespace pcap_client {

// Prints the account's captures, in Cloudflare's order: a line each, or as `get` prints several.
// Returns the exit code.
int List(const Session& session, std::optional<absl::Duration> max_age, OutputFormat output);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_LIST_COMMAND_H_
