#include "client/pcapctl/print_json.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"

namespace pcap_client {

absl::StatusOr<std::string> PcapJson(const pcap::v1::GetPcapResponse& response) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;  // ends the text with a newline too
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(response, &json, options);
  if (!status.ok()) {
    return absl::InternalError(absl::StrCat("the answer has no JSON form: ", status.ToString()));
  }
  return json;
}

}  // namespace pcap_client
