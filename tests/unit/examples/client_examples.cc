// The examples of client/: what each takes for granted, and then the example itself
// (header_examples.py).
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/pcapctl/ask_all.h"
#include "client/pcapctl/columns.h"
#include "client/pcapctl/create_request.h"
#include "client/pcapctl/metric_samples.h"
#include "client/pcapctl/on_signal.h"
#include "client/pcapctl/packet_file.h"
#include "client/pcapctl/palette.h"
#include "client/pcapctl/settings.h"
#include "client/pcapctl/table.h"
#include "pcap/v1/pcap_service.pb.h"
#include "pcap_client/call_error.h"
#include "pcap_client/call_result.h"
#include "pcap_client/message_stream.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

using pcap::v1::DownloadPcapResponse;

void TryAgainAfter(absl::Duration pause);
void Use(const pcap::v1::GetPcapResponse& response);
void Use(const pcap::v1::FullPcap& capture);
absl::Status NoSuchCapture();
void Print(const pcap::v1::GetPcapRequest& request, const CallResult<GetPcapAnswer>& result);

void CallErrorExample(const CallError& error) {
#include "examples/client/include/pcap_client/call_error.h.inc"
}

absl::Status CallResultExample(const PcapClient& client, const pcap::v1::GetPcapRequest& request) {
#include "examples/client/include/pcap_client/call_result.h.inc"
  return absl::OkStatus();
}

absl::Status MessageStreamExample(const PcapClient& client,
                                  const pcap::v1::DownloadPcapRequest& request,
                                  std::ostream& file) {
#include "examples/client/include/pcap_client/message_stream.h.inc"
  return absl::OkStatus();
}

absl::Status PcapClientExample() {
#include "examples/client/include/pcap_client/pcap_client.h.inc"
  return absl::OkStatus();
}

void AskAllExample(const PcapClient& client, const std::vector<pcap::v1::GetPcapRequest>& requests,
                   const CallOptions& options) {
#include "examples/client/pcapctl/ask_all.h.inc"
}

void ColumnsExample(const Palette& palette) {
#include "examples/client/pcapctl/columns.h.inc"
}

void CreateRequestExample() {
#include "examples/client/pcapctl/create_request.h.inc"
}

std::optional<double> MetricSamplesExample(const std::string& page) {
#include "examples/client/pcapctl/metric_samples.h.inc"
}

void OnSignalExample(const std::string& path) {
#include "examples/client/pcapctl/on_signal.h.inc"
}

absl::Status PacketFileExample(const std::string& packets) {
#include "examples/client/pcapctl/packet_file.h.inc"
}

void PaletteExample(ColourChoice choice) {
#include "examples/client/pcapctl/palette.h.inc"
}

void SettingsExample(const Settings& from_command_line,
                     const absl::StatusOr<Settings>& from_context) {
#include "examples/client/pcapctl/settings.h.inc"
}

void TableExample() {
#include "examples/client/pcapctl/table.h.inc"
}

}  // namespace pcap_client
