// `pcapctl status`.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_STATUS_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_STATUS_COMMAND_H_

#include <string>

#include "absl/time/time.h"
#include "client/pcapctl/console.h"
#include "client/pcapctl/get_command.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

struct StatusArguments {
  std::string address;        // as the client was given it
  std::string admin_address;  // empty: not known
  // Nobody said so; a report of a gateway at another port is not taken then.
  bool admin_address_is_a_guess = false;
  absl::Duration timeout;  // of each question
  OutputFormat output = OutputFormat::kTable;
};

// Asks grpc.health.v1 and the admin port, and prints what they say. The exit code is 0 if the
// gateway is serving, else that of UNAVAILABLE. The admin port has no part in it.
int ShowStatus(const PcapClient& client, const StatusArguments& arguments, const Console& console);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_STATUS_COMMAND_H_
