#include "client/pcapctl/print_yaml.h"

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "client/pcapctl/print_json.h"
#include "client/pcapctl/terminal_text.h"

namespace pcap_client {
namespace {

// Which keeps the order that the members came in.
using Json = nlohmann::ordered_json;

// Whether a parser of either YAML takes `text`, bare, for a text and for this one: a letter, then
// letters, digits and harmless signs; and none of the words that mean true, false or null.
bool IsPlain(const std::string& text) {
  static constexpr absl::string_view kWords[] = {"y",     "n",  "yes", "no",  "true",
                                                 "false", "on", "off", "null"};
  if (text.empty() || !absl::ascii_isalpha(text.front())) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '-' && c != '.' && c != '/') return false;
  }
  const std::string lower = absl::AsciiStrToLower(text);
  for (const absl::string_view word : kWords) {
    if (lower == word) return false;
  }
  return true;
}

void EmitText(const std::string& text, YAML::Emitter& out) {
  if (!IsPlain(text)) out << YAML::DoubleQuoted;
  out << text;
}

void Emit(const Json& value, YAML::Emitter& out) {
  switch (value.type()) {
    case Json::value_t::object:
      if (value.empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& [name, member] : value.items()) {
        out << YAML::Key;
        EmitText(name, out);
        out << YAML::Value;
        Emit(member, out);
      }
      out << YAML::EndMap;
      return;
    case Json::value_t::array:
      if (value.empty()) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const Json& element : value) Emit(element, out);
      out << YAML::EndSeq;
      return;
    case Json::value_t::string:
      EmitText(value.get_ref<const std::string&>(), out);
      return;
    case Json::value_t::null:
      out << YAML::Node(YAML::NodeType::Null);
      return;
    default:
      // Numbers, true and false are spelt alike in both.
      out << value.dump();
  }
}

}  // namespace

absl::StatusOr<std::string> YamlOfJson(absl::string_view json) {
  const Json value = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return absl::InternalError("the answer's JSON form is not JSON");
  YAML::Emitter out;
  out << YAML::BeginDoc;
  Emit(value, out);
  if (!out.good()) return absl::InternalError("the answer has no YAML form");
  // All of them stand between double quotes, as nothing else than ASCII is plain.
  return EscapedText({out.c_str(), out.size()}, Escapes::kYaml) + "\n";
}

absl::StatusOr<std::string> PcapYaml(const pcap::v1::GetPcapResponse& response) {
  const absl::StatusOr<std::string> json = PcapJson(response);
  if (!json.ok()) return json.status();
  return YamlOfJson(*json);
}

}  // namespace pcap_client
