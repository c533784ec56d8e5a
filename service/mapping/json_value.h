// JsonDocument: a JSON text parsed into a tree that is cheap to make and to walk.
//
//   const JsonDocument document = JsonDocument::Parse(R"({"result": {"time_limit": 1.50}})");
//   if (document.fault() != JsonDocument::Fault::kNone) return;
//   const JsonValue* result = document.root().Find("result");
//   result->Find("time_limit")->text();  // "1.50": numbers stay as they were written
//
// The tree is one array in the order of the text: a value is followed by its descendants, and knows
// how many places they take. Two allocations hold it all, whatever its size.
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_JSON_VALUE_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_JSON_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "service/source/secret_finder.h"

namespace pcap_gateway {

// A value inside a JsonDocument, which must outlive it. Immutable.
class JsonValue {
 public:
  enum class Kind : uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject };

  // The values directly inside an array or object, in their order; of members with the same name
  // only the last. Empty for anything else.
  class Children;
  Children children() const;

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_number() const { return kind_ == Kind::kNumber; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_object() const { return kind_ == Kind::kObject; }
  bool is_array() const { return kind_ == Kind::kArray; }

  // The member's name; empty for anything but a member of an object. Valid UTF-8.
  absl::string_view name() const { return name_; }

  // A string's content (valid UTF-8, NUL possible), or a number as it was written. Empty for other
  // kinds.
  absl::string_view text() const { return text_; }

  // What a boolean says; false for other kinds.
  bool boolean() const { return boolean_; }

  // The member called `name`; null if there is none, or if this is no object.
  const JsonValue* Find(absl::string_view name) const;

 private:
  friend class JsonDocument;
  friend class JsonTreeBuilder;

  absl::string_view name_;
  absl::string_view text_;
  size_t span_ = 1;  // places in the array that it takes, with its descendants
  Kind kind_ = Kind::kNull;
  bool boolean_ = false;
  bool overridden_ = false;  // a later member has the same name
};

class JsonValue::Children {
 public:
  class Iterator {
   public:
    Iterator(const JsonValue* at, const JsonValue* end) : at_(at), end_(end) { SkipOverridden(); }
    const JsonValue& operator*() const { return *at_; }
    const JsonValue* operator->() const { return at_; }
    Iterator& operator++() {
      at_ += at_->span_;
      SkipOverridden();
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    void SkipOverridden() {
      while (at_ != end_ && at_->overridden_) at_ += at_->span_;
    }

    const JsonValue* at_;
    const JsonValue* end_;
  };

  explicit Children(const JsonValue& parent) : first_(&parent + 1), end_(&parent + parent.span_) {}
  Iterator begin() const { return {first_, end_}; }
  Iterator end() const { return {end_, end_}; }
  bool empty() const { return begin() == end(); }

 private:
  const JsonValue* first_;
  const JsonValue* end_;
};

inline JsonValue::Children JsonValue::children() const { return Children(*this); }

// Movable; values stay valid when it is moved.
class JsonDocument {
 public:
  // Levels of arrays and objects inside one another, the outermost included. What is nested deeper
  // is not read: a body of ten thousand brackets costs as much as one of 33. It is also the depth
  // that a google.protobuf.Struct can take to any receiver: three levels of proto a level of JSON
  // stay below the 100 that protobuf's parsers allow.
  static constexpr size_t kMostDepth = 32;

  enum class Fault {
    kNone,
    kMalformed,  // not one JSON text of RFC 8259: NaN, trailing text, invalid UTF-8, lone
                 // surrogates
    kTooDeep,    // JSON as far as it was read
  };

  // Never throws (except where memory is short), never recurses. `text` may go away afterwards.
  static JsonDocument Parse(absl::string_view text);

  Fault fault() const { return fault_; }

  // Takes the secrets out of all names and texts, as they are once they are decoded. A number that
  // holds one becomes a string.
  void Redact(const SecretFinder& finder);

  // Without a fault: the outermost value. With one: a null.
  const JsonValue& root() const { return values_.front(); }

 private:
  friend class JsonTreeBuilder;

  JsonDocument() = default;

  std::unique_ptr<char[]> characters_;  // what names and texts point into, one after the other
  size_t characters_used_ = 0;
  std::deque<std::string> redacted_;  // what those point into that were redacted
  std::vector<JsonValue> values_;
  Fault fault_ = Fault::kNone;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_JSON_VALUE_H_
