// `pcapctl get`.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_GET_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_GET_COMMAND_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/pcapctl/console.h"
#include "client/pcapctl/output_format.h"
#include "client/pcapctl/print_list.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

// What `get` and `wait` ask for, and how they show it.
struct PcapArguments {
  std::vector<std::string> pcap_ids;
  std::string account_id;  // empty: the gateway's own
  std::optional<absl::Duration> max_age;
  OutputFormat output = OutputFormat::kTable;
};

// With the id as the gateway takes it, where it is one; else as it was typed.
pcap::v1::GetPcapRequest RequestFor(const std::string& pcap_id, const PcapArguments& arguments);

// Prints captures, in the order of their ids, and errors. The exit code is that of the first error.
int Get(const PcapClient& client, const PcapArguments& arguments, const CallOptions& options,
        const Console& console);

// Whether it is one capture that is shown, or however many there are.
enum class Shape { kOne, kList };

// Of captures that were asked for by their ids.
inline Shape ShapeOf(const std::vector<PcapRow>& rows) {
  return rows.size() == 1 ? Shape::kOne : Shape::kList;
}

// What became of `rows`, as one text. kOne: a table, or a document. kList: a list with a line each,
// those without an answer too; one JSON array of the answers; or a YAML document each. kJsonl and
// kName have a line each, kWide a list, in either shape.
absl::StatusOr<std::string> TextOf(const std::vector<PcapRow>& rows, Shape shape,
                                   OutputFormat format, const Console& console);

// `duration`, from 0 to kLongestMaxAge (options.h), as a proto.
google::protobuf::Duration ProtoDuration(absl::Duration duration);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_GET_COMMAND_H_
