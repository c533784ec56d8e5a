// FieldReader: the rules for one field of a JSON object. It becomes a typed field or, where
// anything about it is odd, stays what it is and goes to the extra fields. One odd field costs no
// other.
//
//   constexpr Field<PcapFilter> kFields[] = {
//       {"protocol", [](const JsonValue& json, PcapFilter& filter, ExtraFields&) {
//          return Put(UInt32From(json), [&](uint32_t value) { filter.set_protocol(value); });
//        }},
//   };
//   ReadFields<PcapFilter>(object, "filter_v1.", {kFields}, filter, extra);
//
// The rules:
//   null, and for a time Go's zero,                 as if the field were not there
//     0001-01-01T00:00:00Z in any spelling
//   a name that no table has                        extra
//   another JSON type (80 sent as "80")             extra
//   a number that is not whole, or out of range     extra; 300.0 and 3e2 are whole
//   a time that is not RFC 3339, or that no         extra; so is ""
//     google.protobuf.Timestamp can hold
//   a duration finer than 1 ns, or beyond what      extra
//     a google.protobuf.Duration may hold
//   an enum's text that this version does not know  extra; so is ""
//   any other string, "" too                        typed
//
// Pure and thread-safe.
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_FIELD_READER_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_FIELD_READER_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "service/mapping/extra_fields.h"
#include "service/mapping/json_value.h"

namespace pcap_gateway {

// What a JSON value says in the proto's type; nullopt where it does not fit.
std::optional<std::string> TextFrom(const JsonValue& json, Secrets secrets);
std::optional<std::string> DestinationFrom(const JsonValue& json, Secrets secrets);
std::optional<int64_t> Int64From(const JsonValue& json);
std::optional<uint32_t> UInt32From(const JsonValue& json);
// RFC 3339 with `T` or `t`, `Z`, `z` or an offset, at most nine digits of a second's fraction;
// years 1 to 9999. A leap second (:60) has no place in a Timestamp.
std::optional<google::protobuf::Timestamp> TimestampFrom(const JsonValue& json);
// Whether `json` is Go's zero time, which stands for none.
bool IsZeroTime(const JsonValue& json);
// A number of seconds, taken exactly.
std::optional<google::protobuf::Duration> DurationFrom(const JsonValue& json);

// An enum's texts in JSON.
template <typename Enum>
struct EnumText {
  absl::string_view text;
  Enum value;
};

template <typename Enum, size_t n>
std::optional<Enum> EnumFrom(const JsonValue& json, const EnumText<Enum> (&texts)[n]) {
  if (!json.is_string()) return std::nullopt;
  for (const EnumText<Enum>& known : texts) {
    if (known.text == json.text()) return known.value;
  }
  return std::nullopt;
}

// Hands `value` to `set` if there is one; says whether there was.
template <typename T, typename Set>
bool Put(std::optional<T> value, Set set) {
  if (!value.has_value()) return false;
  set(*std::move(value));
  return true;
}

// As Put, of a time; the zero time is taken, and not set.
template <typename Set>
bool PutTime(const JsonValue& json, Set set) {
  return IsZeroTime(json) || Put(TimestampFrom(json), set);
}

// What a field is called in JSON, and where it goes.
template <typename Message>
struct Field {
  absl::string_view name;
  // Puts `json` (never null) into `message`. False: it does not fit, and `message` is as it was.
  bool (*read)(const JsonValue& json, Message& message, ExtraFields& extra);
};

// Reads the members of `object`: each by the field of its name in `tables`, else, or if it does not
// fit there, into `extra` under `prefix` and its name.
template <typename Message>
void ReadFields(const JsonValue& object, absl::string_view prefix,
                std::initializer_list<absl::Span<const Field<Message>>> tables, Message& message,
                ExtraFields& extra) {
  const auto read = [&](const JsonValue& json) {
    for (const auto table : tables) {
      for (const Field<Message>& field : table) {
        if (field.name == json.name()) return field.read(json, message, extra);
      }
    }
    return false;
  };
  for (const JsonValue& json : object.children()) {
    if (!json.is_null() && !read(json)) extra.Keep(prefix, json);
  }
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_FIELD_READER_H_
