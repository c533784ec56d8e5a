// The captures that `pcapctl create` and `pcapctl capture` ask for, from the texts of their
// options.
//
//   CaptureTexts texts{.time_limit = "10s", .packet_limit = "100", .protocol = "tcp"};
//   absl::StatusOr<pcap::v1::CreatePcapRequest> request = SimpleRequest(texts);
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_CREATE_REQUEST_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_CREATE_REQUEST_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_client {

// Each is named after its option, --time-limit and so on; empty: not said.
struct CaptureTexts {
  std::string time_limit;
  std::string packet_limit;
  std::string source_address;
  std::string source_port;
  std::string destination_address;
  std::string destination_port;
  std::string protocol;
  std::string offset_time;
  std::string colo_name;
  std::string destination_conf;
  std::string destination_conf_file;
  std::string byte_limit;
  std::string request_id;
};

// Without an account. A request_id is made where none is said, so that the same request can be sent
// again. INVALID_ARGUMENT names the option that cannot be read, or is missing. What is out of
// Cloudflare's range the gateway says.
//
// A simple one takes one minute and 10,000 packets where no limit is said, the most that Cloudflare
// keeps.
absl::StatusOr<pcap::v1::CreatePcapRequest> SimpleRequest(const CaptureTexts& texts);
absl::StatusOr<pcap::v1::CreatePcapRequest> FullRequest(const CaptureTexts& texts);

// The bucket's URI, out of its file where that is said; empty: neither is said. INVALID_ARGUMENT:
// both are, or the file cannot be read or is empty.
absl::StatusOr<std::string> DestinationOf(const CaptureTexts& texts);

// What `request` would send, for people to see: the secrets of its bucket are left out.
pcap::v1::CreatePcapRequest WithoutSecrets(pcap::v1::CreatePcapRequest request);

// A bucket's URI whose query says REDACTED for all but `region` and `account-id`.
std::string BucketWithoutSecrets(absl::string_view uri);

// A random UUID (version 4).
std::string NewRequestId();

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_CREATE_REQUEST_H_
