#include "client/pcapctl/print_json.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {

absl::StatusOr<std::string> CompactJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    return absl::InternalError(absl::StrCat("it has no JSON form: ", status.ToString()));
  }
  return EscapedText(json, Escapes::kJson);
}

absl::StatusOr<std::string> PcapJson(const pcap::v1::GetPcapResponse& response) {
  absl::StatusOr<std::string> json = CompactJson(response);
  if (json.ok()) *json = IndentedJson(*json);
  return json;
}

std::string IndentedJson(absl::string_view json) {
  std::string text;
  size_t depth = 0;
  bool in_string = false;
  bool opened = false;  // a brace or bracket that nothing has followed yet
  const auto new_line = [&] { text.append(1, '\n').append(2 * depth, ' '); };
  for (size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (in_string) {
      text += c;
      if (c == '\\' && at + 1 < json.size()) text += json[++at];
      in_string = c != '"';
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    const bool closes = c == '}' || c == ']';
    if (closes) --depth;
    if (opened != closes && (opened || closes)) new_line();
    opened = c == '{' || c == '[';
    if (opened) ++depth;
    text += c;
    if (c == ',') new_line();
    if (c == ':') text += ' ';
    in_string = c == '"';
  }
  return EscapedText(text, Escapes::kJson) + "\n";
}

}  // namespace pcap_client
