// `pcapctl capture`: makes a capture, waits until it is final, and fetches the packets.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_CAPTURE_COMMAND_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_CAPTURE_COMMAND_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/pcapctl/output_format.h"
#include "client/pcapctl/session.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_client {

struct CaptureArguments {
  pcap::v1::CreatePcapRequest request;
  std::string file;  // of a simple one: "-": stdout; empty: the id's own, in this folder
  bool force = false;
  OutputFormat output = OutputFormat::kTable;  // of a full one
  std::optional<absl::Duration> timeout;       // of all together; absent: as long as it takes
};

// A simple one's packets go into a file, as `download` writes it; a full one's lie in its bucket,
// and the capture is printed. After Ctrl-C it says that the capture goes on. Returns the
// exit code: 0; 9, the capture ended as failed; that of the error; 4 when the time is over.
int Capture(const Session& session, const CaptureArguments& arguments);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_CAPTURE_COMMAND_H_
