// An answer as proto JSON; what `pcapctl get --json` prints.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_JSON_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_JSON_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_client {

// The response in proto3's JSON mapping, indented by IndentedJson.
// Fields have their names of the .proto (`time_limit`, not `timeLimit`): they are also the names in
// Cloudflare's own API, and proto3 JSON parsers take either. A field that is absent is left out; an
// empty string or 0 that is present is not. As the mapping asks, 64-bit numbers are strings, times
// RFC 3339 and durations "300s". kInternal if a value has no place in that mapping (a year beyond
// 9999).
absl::StatusOr<std::string> PcapJson(const pcap::v1::GetPcapResponse& response);

// The same of any message, in one line and without a newline.
absl::StatusOr<std::string> CompactJson(const google::protobuf::Message& message);

// `json`, which is JSON, with a line for each member and element, two blanks deeper on each level,
// and a newline at its end. Characters that a terminal would act on, or that hide or reorder text,
// are \uXXXX; all else, numbers above all, stays as it was spelt.
std::string IndentedJson(absl::string_view json);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_PRINT_JSON_H_
