#include "service/mapping/extra_fields.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/mapping/decimal.h"

namespace pcap_gateway {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

// The whole numbers up to here, and only up to here, are all different doubles.
constexpr int64_t kMostExact = int64_t{1} << 53;

// How the strings of a value are redacted. Passed down from a member to what is inside it.
enum class Treatment { kNone, kText, kDestination, kDestinationPart, kSecret };

// The number as a double, unless that would change it beyond the rounding of a fraction.
std::optional<double> DoubleFrom(absl::string_view number) {
  double value;
  if (!absl::SimpleAtod(number, &value)) return std::nullopt;
  if (value > kMostExact || value < -kMostExact) return std::nullopt;
  const Decimal decimal = Decimal::Parse(number);
  if (value == 0 && !decimal.is_zero()) return std::nullopt;
  // 2^53 + 1 rounds to 2^53.
  if (decimal.is_whole() && decimal.ScaledBy(0) != absl::int128(static_cast<int64_t>(value))) {
    return std::nullopt;
  }
  return value;
}

Treatment TreatmentOf(absl::string_view name, Treatment around) {
  switch (around) {
    case Treatment::kNone:
    case Treatment::kSecret:
      return around;
    case Treatment::kText:
    case Treatment::kDestination:
    case Treatment::kDestinationPart:
      break;
  }
  if (IsSecretName(name)) return Treatment::kSecret;
  if (name == "destination_conf") return Treatment::kDestination;
  return around == Treatment::kText ? Treatment::kText : Treatment::kDestinationPart;
}

std::string TextFor(const JsonValue& value, Treatment treatment) {
  const absl::string_view text = value.text();
  switch (treatment) {
    case Treatment::kNone:
      return std::string(text);
    case Treatment::kText:
      return RedactText(text);
    case Treatment::kDestination:
      return RedactDestination(text);
    case Treatment::kDestinationPart:
      // A destination taken apart: {"bucket": "b", "key": "s3cr3t"}. Which part is secret, only its
      // sender knows.
      if (MayBeShown(value.name(), text)) return std::string(text);
      if (absl::StrContains(text, "://")) return RedactDestination(text);
      break;
    case Treatment::kSecret:
      break;
  }
  return std::string(kRedacted);
}

void KeepMember(absl::string_view prefix, const JsonValue& value, Treatment treatment,
                Struct& kept);

// As deep as the document at most, so JsonDocument::kMostDepth bounds the recursion.
void KeepValue(const JsonValue& value, Treatment treatment, Value& kept) {
  switch (value.kind()) {
    case JsonValue::Kind::kNull:
      kept.set_null_value(google::protobuf::NULL_VALUE);
      return;
    case JsonValue::Kind::kBoolean:
      kept.set_bool_value(value.boolean());
      return;
    case JsonValue::Kind::kNumber:
      if (treatment == Treatment::kSecret) {
        kept.set_string_value(std::string(kRedacted));
      } else if (const std::optional<double> number = DoubleFrom(value.text())) {
        kept.set_number_value(*number);
      } else {
        kept.set_string_value(std::string(value.text()));
      }
      return;
    case JsonValue::Kind::kString:
      kept.set_string_value(TextFor(value, treatment));
      return;
    case JsonValue::Kind::kArray: {
      auto* const list = kept.mutable_list_value();
      for (const JsonValue& element : value.children()) {
        KeepValue(element, treatment, *list->add_values());
      }
      return;
    }
    case JsonValue::Kind::kObject: {
      auto* const members = kept.mutable_struct_value();
      for (const JsonValue& member : value.children()) KeepMember("", member, treatment, *members);
      return;
    }
  }
}

void KeepMember(absl::string_view prefix, const JsonValue& value, Treatment treatment,
                Struct& kept) {
  std::string name = treatment == Treatment::kNone ? absl::StrCat(prefix, value.name())
                                                   : absl::StrCat(prefix, RedactText(value.name()));
  KeepValue(value, TreatmentOf(value.name(), treatment), (*kept.mutable_fields())[std::move(name)]);
}

}  // namespace

void ExtraFields::Keep(absl::string_view prefix, const JsonValue& value) {
  KeepMember(prefix, value, secrets_ == Secrets::kHide ? Treatment::kText : Treatment::kNone,
             *fields_(message_));
}

}  // namespace pcap_gateway
