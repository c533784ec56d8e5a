#include "service/mapping/json_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "nlohmann/json.hpp"

namespace pcap_gateway {
namespace {

// The parser's type for numbers with a fraction or an exponent. nlohmann refuses the whole document
// (out_of_range.406) when one of them, such as 1e400, is infinite in its type; here only the text
// counts, so this one lets the parser write what it likes and always reads as 0.
struct UnreadNumber {
  UnreadNumber() = default;
  UnreadNumber(double value) : written(value) {}  // NOLINT(google-explicit-constructor)
  operator double&() { return written; }          // NOLINT(google-explicit-constructor)
  operator double() const { return 0.0; }         // NOLINT(google-explicit-constructor)

  double written = 0.0;
};

using Json =
    nlohmann::basic_json<std::map, std::vector, std::string, bool, int64_t, uint64_t, UnreadNumber>;

// Below this, comparing each name with each other is faster than sorting them.
constexpr size_t kFewMembers = 24;

}  // namespace

const JsonValue* JsonValue::Find(absl::string_view name) const {
  if (!is_object()) return nullptr;
  for (const JsonValue& child : children()) {
    if (child.name() == name) return &child;
  }
  return nullptr;
}

// Takes the parser's events (nlohmann's SAX interface) and appends values to a document. Returning
// false ends the parse.
class JsonTreeBuilder {
 public:
  // The decoded characters of a JSON text are never more than its bytes, so one block of that size
  // holds all names and texts, and never moves.
  JsonTreeBuilder(JsonDocument& document, size_t text_bytes)
      : document_(document), free_bytes_(text_bytes) {
    document_.characters_ = std::make_unique_for_overwrite<char[]>(text_bytes);
    next_character_ = document_.characters_.get();
    document_.values_.reserve(std::min<size_t>(text_bytes / 8 + 1, 64));
  }

  bool null() { return Append(JsonValue::Kind::kNull); }

  bool boolean(bool value) {
    if (!Append(JsonValue::Kind::kBoolean)) return false;
    document_.values_.back().boolean_ = value;
    return true;
  }

  // Only called for numbers with a minus sign, so that 0 was written as -0.
  bool number_integer(int64_t value) {
    return value == 0 ? Append(JsonValue::Kind::kNumber, "-0") : AppendInteger(value);
  }

  bool number_unsigned(uint64_t value) { return AppendInteger(value); }

  bool number_float(UnreadNumber, const std::string& text) {
    return Append(JsonValue::Kind::kNumber, text);
  }

  bool string(std::string& text) { return Append(JsonValue::Kind::kString, text); }

  bool binary(Json::binary_t&) { return false; }  // not in JSON

  bool start_object(size_t) { return Open(JsonValue::Kind::kObject); }

  bool key(std::string& name) { return Keep(name, name_); }

  bool end_object() {
    MarkOverridden(Close());
    return true;
  }

  bool start_array(size_t) { return Open(JsonValue::Kind::kArray); }

  bool end_array() {
    Close();
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

  bool too_deep() const { return too_deep_; }

 private:
  template <typename Integer>
  bool AppendInteger(Integer value) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return Append(JsonValue::Kind::kNumber,
                  {digits.data(), static_cast<size_t>(end - digits.data())});
  }

  bool Append(JsonValue::Kind kind, absl::string_view text = {}) {
    JsonValue& value = document_.values_.emplace_back();
    value.kind_ = kind;
    value.name_ = std::exchange(name_, {});
    return Keep(text, value.text_);
  }

  bool Keep(absl::string_view text, absl::string_view& kept) {
    if (text.size() > free_bytes_) return false;
    if (!text.empty()) std::memcpy(next_character_, text.data(), text.size());
    kept = {next_character_, text.size()};
    next_character_ += text.size();
    free_bytes_ -= text.size();
    document_.characters_used_ += text.size();
    return true;
  }

  bool Open(JsonValue::Kind kind) {
    if (depth_ == JsonDocument::kMostDepth) {
      too_deep_ = true;
      return false;
    }
    open_[depth_++] = document_.values_.size();
    return Append(kind);
  }

  JsonValue& Close() {
    const size_t place = open_[--depth_];
    JsonValue& value = document_.values_[place];
    value.span_ = document_.values_.size() - place;
    return value;
  }

  static void MarkOverridden(JsonValue& object) {
    JsonValue* const end = &object + object.span_;
    size_t members = 0;
    for (JsonValue* at = &object + 1; at != end; at += at->span_) ++members;
    if (members <= kFewMembers) {
      for (JsonValue* at = &object + 1; at != end; at += at->span_) {
        for (JsonValue* earlier = &object + 1; earlier != at; earlier += earlier->span_) {
          if (earlier->name_ == at->name_) earlier->overridden_ = true;
        }
      }
      return;
    }
    std::vector<JsonValue*> by_name;
    by_name.reserve(members);
    for (JsonValue* at = &object + 1; at != end; at += at->span_) by_name.push_back(at);
    std::sort(by_name.begin(), by_name.end(), [](const JsonValue* a, const JsonValue* b) {
      const int order = a->name_.compare(b->name_);
      return order != 0 ? order < 0 : a < b;
    });
    for (size_t i = 1; i < members; ++i) {
      if (by_name[i]->name_ == by_name[i - 1]->name_) by_name[i - 1]->overridden_ = true;
    }
  }

  JsonDocument& document_;
  char* next_character_;
  size_t free_bytes_;
  absl::string_view name_;                             // of the member that comes next
  std::array<size_t, JsonDocument::kMostDepth> open_;  // places of the containers around it
  size_t depth_ = 0;
  bool too_deep_ = false;
};

JsonDocument JsonDocument::Parse(absl::string_view text) {
  JsonDocument document;
  JsonTreeBuilder builder(document, text.size());
  // nlohmann takes a NUL for the end of the text, whatever follows it. No JSON text has one.
  const bool parsed = text.find('\0') == absl::string_view::npos &&
                      Json::sax_parse(text.data(), text.data() + text.size(), &builder);
  if (!parsed) {
    document.fault_ = builder.too_deep() ? Fault::kTooDeep : Fault::kMalformed;
    document.values_.assign(1, JsonValue());
  }
  return document;
}

void JsonDocument::Redact(const SecretFinder& finder) {
  if (!finder.MayHold({characters_.get(), characters_used_})) return;
  const auto redact = [&](absl::string_view& text) {
    if (!finder.MayHold(text)) return false;
    std::string clean(text);
    if (!finder.Redact(clean)) return false;
    text = redacted_.emplace_back(std::move(clean));
    return true;
  };
  for (JsonValue& value : values_) {
    redact(value.name_);
    if (redact(value.text_)) value.kind_ = JsonValue::Kind::kString;
  }
}

}  // namespace pcap_gateway
