// Cloudflare's answer to a GetPcap: whatever it is, an answer that any receiver can read, or an
// error for a person; and nothing that it said is lost.
//
// The input: a line `STATUS CONTENT-TYPE`, then the body.
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/get_pcap.h"
#include "service/source/query.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/utf8.h"

namespace pcap_gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Value;
using nlohmann::json;

constexpr size_t kMostMessage = 4 << 20;

// The body read by another parser, with numbers as they were written. False: it is not JSON.
class Reader : public json::json_sax_t {
 public:
  struct Node {
    enum class Kind { kNull, kBoolean, kNumber, kString, kArray, kObject } kind = Kind::kNull;
    bool boolean = false;
    std::string text;
    std::vector<Node> elements;
    std::map<std::string, Node> members;  // the last of a name
  };

  static bool Read(absl::string_view text, Node& root) {
    Reader reader(root);
    return json::sax_parse(text.begin(), text.end(), &reader) && !reader.too_large_;
  }
  // An exponent beyond a double's, or so many digits: the other parser gives up on it, ours does
  // not. Every envelope has the letter `e`; one after a digit is another matter.
  static bool HasHugeNumber(absl::string_view text) {
    size_t digits = 0;
    for (const char c : text) {
      if (digits > 0 && (c == 'e' || c == 'E')) return true;
      digits = absl::ascii_isdigit(static_cast<unsigned char>(c)) || (digits > 0 && c == '.')
                   ? digits + 1
                   : 0;
      if (digits > 300) return true;
    }
    return false;
  }

  bool null() override { return Put({}); }
  bool boolean(bool value) override {
    return Put({.kind = Node::Kind::kBoolean, .boolean = value});
  }
  bool number_integer(number_integer_t value) override { return Number(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Number(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return Number(text); }
  bool string(string_t& text) override {
    return Put({.kind = Node::Kind::kString, .text = std::move(text)});
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(Node::Kind::kObject); }
  bool start_array(size_t) override { return Open(Node::Kind::kArray); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    names_.back() = std::move(name);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  explicit Reader(Node& root) : root_(root) {}

  bool Number(std::string text) {
    return Put({.kind = Node::Kind::kNumber, .text = std::move(text)});
  }
  bool Put(Node node) {
    Place(std::move(node));
    return true;
  }
  Node& Place(Node node) {
    if (open_.empty()) return root_ = std::move(node);
    Node& parent = *open_.back();
    if (parent.kind == Node::Kind::kObject) return parent.members[names_.back()] = std::move(node);
    return parent.elements.emplace_back(std::move(node));
  }
  bool Open(Node::Kind kind) {
    if (open_.size() >= 40) return !(too_large_ = true);
    open_.push_back(&Place({.kind = kind}));
    names_.emplace_back();
    return true;
  }
  bool Close() {
    open_.pop_back();
    names_.pop_back();
    return true;
  }

  Node& root_;
  std::vector<Node*> open_;
  std::vector<std::string> names_;
  bool too_large_ = false;
};

using Node = Reader::Node;
using Kind = Node::Kind;

double NumberOf(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

// Whether `value` of extra_fields is what `node` was.
bool Same(const Value& value, const Node& node) {
  switch (value.kind_case()) {
    case Value::kNullValue:
      return node.kind == Kind::kNull;
    case Value::kBoolValue:
      return node.kind == Kind::kBoolean && node.boolean == value.bool_value();
    case Value::kNumberValue:
      return node.kind == Kind::kNumber && NumberOf(node.text) == value.number_value();
    case Value::kStringValue:
      if (node.kind == Kind::kString) return node.text == value.string_value();
      // Beyond what a double holds: digit for digit, where the other parser kept the digits.
      if (node.text.find_first_not_of("-0123456789") == std::string::npos) {
        return node.kind == Kind::kNumber && node.text == value.string_value();
      }
      return node.kind == Kind::kNumber && NumberOf(node.text) == NumberOf(value.string_value());
    case Value::kListValue: {
      const auto& values = value.list_value().values();
      if (node.kind != Kind::kArray || values.size() != static_cast<int>(node.elements.size())) {
        return false;
      }
      for (int i = 0; i < values.size(); ++i) {
        if (!Same(values[i], node.elements[i])) return false;
      }
      return true;
    }
    case Value::kStructValue: {
      const auto& fields = value.struct_value().fields();
      if (node.kind != Kind::kObject || fields.size() != node.members.size()) return false;
      for (const auto& [name, member] : node.members) {
        const auto found = fields.find(name);
        if (found == fields.end() || !Same(found->second, member)) return false;
      }
      return true;
    }
    case Value::KIND_NOT_SET:
      break;
  }
  return false;
}

// "PCAP_STATUS_CONVERSION_PENDING" as JSON writes it.
std::string EnumText(const FieldDescriptor& field, int number) {
  std::string text(field.enum_type()->FindValueByNumber(number)->name());
  const bool status = absl::StartsWith(text, "PCAP_STATUS_");
  text = text.substr(status ? strlen("PCAP_STATUS_") : strlen("PCAP_SYSTEM_"));
  for (char& c : text) c = c == '_' && !status ? '-' : absl::ascii_tolower(c);
  return text;
}

// The time that a text is, if it is one.
std::optional<absl::Time> TimeOf(const Node& node) {
  std::string text = node.text;
  for (char& c : text) c = absl::ascii_toupper(c);
  absl::Time time;
  const bool is_time =
      node.kind == Kind::kString && absl::ParseTime(absl::RFC3339_full, text, &time, nullptr);
  return is_time ? std::optional(time) : std::nullopt;
}

// Go's zero time, which stands for none.
bool IsZeroTime(const FieldDescriptor* field, const Node& node) {
  return field != nullptr && field->message_type() == google::protobuf::Timestamp::descriptor() &&
         TimeOf(node) == absl::FromCivil(absl::CivilSecond(1), absl::UTCTimeZone());
}

// Whether the typed field says exactly what `node` was.
bool SameTyped(const Message& message, const FieldDescriptor& field, const Node& node) {
  const google::protobuf::Reflection& look = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return node.kind == Kind::kString && look.GetString(message, &field) == node.text;
    case FieldDescriptor::CPPTYPE_ENUM:
      return node.kind == Kind::kString &&
             EnumText(field, look.GetEnumValue(message, &field)) == node.text;
    case FieldDescriptor::CPPTYPE_INT64: {
      // As doubles, 2^53 and 2^53 + 1 would be the same.
      const int64_t value = look.GetInt64(message, &field);
      int64_t exact;
      if (absl::SimpleAtoi(node.text, &exact)) {
        return node.kind == Kind::kNumber && value == exact;
      }
      return node.kind == Kind::kNumber && static_cast<double>(value) == NumberOf(node.text);
    }
    case FieldDescriptor::CPPTYPE_UINT32:
      return node.kind == Kind::kNumber && look.GetUInt32(message, &field) == NumberOf(node.text);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
    default:
      return false;
  }
  const Message& inner = look.GetMessage(message, &field);
  if (const auto* time = dynamic_cast<const google::protobuf::Timestamp*>(&inner)) {
    return TimeOf(node) ==
           absl::FromUnixSeconds(time->seconds()) + absl::Nanoseconds(time->nanos());
  }
  if (const auto* duration = dynamic_cast<const google::protobuf::Duration*>(&inner)) {
    const double seconds = static_cast<double>(duration->seconds()) + duration->nanos() * 1e-9;
    const double expected = NumberOf(node.text);
    return node.kind == Kind::kNumber &&
           std::abs(seconds - expected) <= 1e-9 + std::abs(expected) * 1e-15;
  }
  return false;
}

// Every member of `node` is in a typed field of `message` or among the extra fields, and neither
// holds anything else.
void RequireKept(const Node& node, const Message* message, const std::string& prefix,
                 const google::protobuf::Struct& extra, size_t& extras) {
  for (const auto& [name, member] : node.members) {
    const auto kept = extra.fields().find(prefix + name);
    const FieldDescriptor* const field =
        message == nullptr ? nullptr : message->GetDescriptor()->FindFieldByName(name);
    const bool typed =
        field != nullptr &&
        (field->has_presence() ? message->GetReflection()->HasField(*message, field)
                               : message->GetReflection()->GetEnumValue(*message, field) != 0);
    if (member.kind == Kind::kNull || IsZeroTime(field, member)) {
      Require(!typed && kept == extra.fields().end(), "null is absent, and so is a zero time");
    } else if (kept != extra.fields().end()) {
      ++extras;
      Require(!typed, "a value is in one place");
      Require(Same(kept->second, member), "an extra field is what came");
    } else if (typed && name == "filter_v1") {
      Require(member.kind == Kind::kObject, "a filter is an object");
      RequireKept(member, &message->GetReflection()->GetMessage(*message, field), "filter_v1.",
                  extra, extras);
    } else if (typed) {
      Require(SameTyped(*message, *field, member), "a typed field is what came");
    } else {
      Require(name == "type" && message != nullptr, "nothing is lost");
      const bool simple = message->GetDescriptor() == pcap::v1::SimplePcap::descriptor();
      Require(member.text == (simple ? "simple" : "full"), "the arm says the type");
    }
  }
}

void RequireSound(const Outcome& outcome) {
  if (outcome.ok()) {
    Require(outcome.message.size() <= kMostMessage, "a message within gRPC's limit");
    pcap::v1::GetPcapResponse response;
    Require(response.ParseFromString(outcome.message), "which any receiver can read");
    return;
  }
  const Error& error = *outcome.error;
  Require(error.code != absl::StatusCode::kOk, "an error is none of OK");
  Require(IsUtf8(error.message) && IsUtf8(error.documentation_url), "in valid UTF-8");
  for (const auto& [key, value] : error.metadata) {
    Require(IsUtf8(key) && IsUtf8(value), "in valid UTF-8, its metadata too");
  }
  if (error.retry_after.has_value()) {
    Require(*error.retry_after >= absl::ZeroDuration() && *error.retry_after <= absl::Hours(1),
            "a wait within an hour");
  }
}

}  // namespace
}  // namespace pcap_gateway

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  absl::string_view text = TextOf(data, size);
  absl::string_view first = TakeLine(text);
  HttpAnswer answer;
  const size_t blank = std::min(first.find(' '), first.size());
  if (!absl::SimpleAtoi(first.substr(0, blank), &answer.status)) answer.status = 200;
  first.remove_prefix(std::min(blank + 1, first.size()));
  answer.content_type = std::string(first);
  answer.body = std::string(text);

  // As if the capture had been asked for that the corpus is about.
  Query query;
  query.endpoint = &kGetPcap;
  query.resource = *Id::Parse("7d7c88382f2b4a2b9f1b8f0fa6d1d7a1");
  const Outcome hidden = kGetPcap.parse(query, answer, {});
  RequireSound(hidden);
  const Outcome shown = kGetPcap.parse(query, answer, {.reveal_destination_secrets = true});
  RequireSound(shown);
  Require(hidden.ok() == shown.ok(), "what is hidden decides nothing");

  Node root;
  if (!Reader::Read(text, root)) {
    Require(!shown.ok() || Reader::HasHugeNumber(text), "what is no JSON is no answer");
    return 0;
  }
  if (!shown.ok()) return 0;
  Require(root.kind == Kind::kObject && root.members.count("result") != 0, "an envelope");
  const Node& result = root.members["result"];
  Require(result.kind == Kind::kObject, "with a result");
  for (const auto& [name, member] : result.members) {
    // Would have the name of one in the filter.
    if (absl::StartsWith(name, "filter_v1.")) return 0;
  }
  pcap::v1::GetPcapResponse response;
  Require(response.ParseFromString(shown.message), "an answer");
  const pcap::v1::Pcap& pcap = response.pcap();
  const Message* form = pcap.has_simple() ? static_cast<const Message*>(&pcap.simple())
                        : pcap.has_full() ? &pcap.full()
                                          : nullptr;
  size_t extras = 0;
  RequireKept(result, form, "", pcap.extra_fields(), extras);
  Require(extras == pcap.extra_fields().fields().size(), "no extra field comes from nowhere");
  return 0;
}
