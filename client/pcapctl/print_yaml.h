// An answer as YAML: the JSON form's names and values, in blocks.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_YAML_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_YAML_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_client {

// One YAML document, begun by "---" and ended by a newline. Fields in the proto's order. Any YAML
// 1.1 or 1.2 parser reads the texts back as texts: what could be taken for something else ("0123",
// "no", "1e5") is quoted. INTERNAL: the answer has no JSON form.
absl::StatusOr<std::string> PcapYaml(const pcap::v1::GetPcapResponse& response);

// `json` likewise. INTERNAL: it is not JSON.
absl::StatusOr<std::string> YamlOfJson(absl::string_view json);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_YAML_H_
