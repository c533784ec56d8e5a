// `pcapctl watch`.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_WATCH_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_WATCH_COMMAND_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/pcapctl/output_format.h"
#include "client/pcapctl/session.h"

namespace pcap_client {

struct WatchArguments {
  std::vector<std::string> pcap_ids;  // none: all captures of the account, new ones too
  OutputFormat output = OutputFormat::kTable;
  std::optional<absl::Duration> timeout;  // absent: as long as it takes
};

// Prints each capture as it is, and again each time that it has changed: a line each, JSON in one
// line each, or a YAML document each. Ends when all that were named are final; without ids it does
// not. Exit code: 0; 9, one that was named ended as failed; that of the error; 4 when the time is
// over.
int Watch(const Session& session, const WatchArguments& arguments);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_WATCH_COMMAND_H_
