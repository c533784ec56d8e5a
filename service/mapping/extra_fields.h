// ExtraFields: keeps what the typed messages have no place for in Pcap.extra_fields, as it came.
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
#include "pcap/v1/pcap.pb.h"
#include "service/mapping/json_value.h"
#include "service/source/redaction.h"

namespace pcap_gateway {

class ExtraFields {
 public:
  // `pcap` must outlive this. Its extra_fields stay absent until there is something to keep.
  ExtraFields(pcap::v1::Pcap& pcap, Secrets secrets) : pcap_(pcap), secrets_(secrets) {}

  // What typed fields are to do with secrets, too.
  Secrets secrets() const { return secrets_; }

  // Keeps `value`, a member of an object, under `prefix` and its name. With Secrets::kHide its
  // strings are redacted: as a destination below a member `destination_conf`, wholly below a member
  // with a secret's name, as free text elsewhere.
  void Keep(absl::string_view prefix, const JsonValue& value);

 private:
  pcap::v1::Pcap& pcap_;
  const Secrets secrets_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_EXTRA_FIELDS_H_
