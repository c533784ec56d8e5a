// `pcapctl get`.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_GET_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_GET_COMMAND_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/pcapctl/console.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

enum class OutputFormat { kTable, kJson, kYaml };

// What `get` and `wait` ask for, and how they show it.
struct PcapArguments {
  std::vector<std::string> pcap_ids;
  std::string account_id;  // empty: the gateway's own
  std::optional<absl::Duration> max_age;
  OutputFormat output = OutputFormat::kTable;
};

pcap::v1::GetPcapRequest RequestFor(const std::string& pcap_id, const PcapArguments& arguments);

// Prints captures, in the order of their ids, and errors. One: a table, or a document. Several: a
// table with a line each, or a document each. The exit code is that of the first error.
int Get(const PcapClient& client, const PcapArguments& arguments, const CallOptions& options,
        const Console& console);

// The answers, as one text. `answers` is not empty.
absl::StatusOr<std::string> TextOf(const std::vector<const GetPcapAnswer*>& answers,
                                   OutputFormat format, const Console& console);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_GET_COMMAND_H_
