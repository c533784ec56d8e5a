// `pcapctl download`.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_DOWNLOAD_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_DOWNLOAD_COMMAND_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/pcapctl/session.h"

namespace pcap_client {

struct DownloadArguments {
  std::string pcap_id;
  std::string file;  // "-": stdout; empty: the id's own, in this folder
  bool force = false;
  std::optional<absl::Duration> timeout;  // absent: as long as it takes
};

// Where the packets go.
std::string FileOf(const DownloadArguments& arguments);

// Downloads the packets of a simple capture into a file, whole or not at all, and prints its name;
// or to stdout, where nothing else goes then. Returns the exit code.
int Download(const Session& session, const DownloadArguments& arguments);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_DOWNLOAD_COMMAND_H_
