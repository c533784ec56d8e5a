// `pcapctl create` and `pcapctl stop`: what changes something.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_WRITE_COMMANDS_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_WRITE_COMMANDS_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "client/pcapctl/output_format.h"
#include "client/pcapctl/session.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_client {

// Each returns the exit code.

// Prints what would be sent, as JSON or YAML, and sends nothing. `request` has no secrets.
int ShowRequest(const google::protobuf::Message& request, OutputFormat output);

// Makes the capture, and prints it as `get` does.
int Create(const Session& session, const pcap::v1::CreatePcapRequest& request, OutputFormat output);

// The same call alone, with what it takes to try again on stderr where the outcome is not known.
CallResult<CreatePcapAnswer> CreateOrTell(const Session& session,
                                          const pcap::v1::CreatePcapRequest& request,
                                          int& exit_code);

// Stops full captures, and prints the ids of those that were. All of them are tried.
int Stop(const Session& session, const std::vector<std::string>& pcap_ids, bool dry_run,
         OutputFormat output);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_WRITE_COMMANDS_H_
