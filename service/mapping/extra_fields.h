// ExtraFields: keeps what a typed message has no place for in its extra_fields, as it came.
//
//   ExtraFields extra(pcap, Secrets::kHide);
//   extra.Keep("", value);            // {"color": "red"}      → extra_fields["color"] = "red"
//   extra.Keep("filter_v1.", value);  // {"ports": [1, null]}  → extra_fields["filter_v1.ports"]
//
// "As it came" has one limit: google.protobuf.Struct knows only doubles. A number beyond ±2^53, or
// too small for a double, becomes a string that holds the number as it was written.
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_EXTRA_FIELDS_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_EXTRA_FIELDS_H_

#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"
#include "service/mapping/json_value.h"
#include "service/source/redaction.h"

namespace pcap_gateway {

class ExtraFields {
 public:
  // `message`: a Pcap, or another with such a field; it must outlive this. Its extra_fields stay
  // absent until there is something to keep.
  template <typename Message>
  ExtraFields(Message& message, Secrets secrets)
      : message_(&message),
        fields_([](void* of) { return static_cast<Message*>(of)->mutable_extra_fields(); }),
        secrets_(secrets) {}

  // What typed fields are to do with secrets, too.
  Secrets secrets() const { return secrets_; }

  // Keeps `value`, a member of an object, under `prefix` and its name. With Secrets::kHide its
  // strings are redacted: as a destination below a member `destination_conf`, wholly below a member
  // with a secret's name, as free text elsewhere.
  void Keep(absl::string_view prefix, const JsonValue& value);

 private:
  void* const message_;
  google::protobuf::Struct* (*const fields_)(void* of);
  const Secrets secrets_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_EXTRA_FIELDS_H_
