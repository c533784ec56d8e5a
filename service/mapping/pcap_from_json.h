// A capture's JSON object → pcap.v1.Pcap. Nothing is lost, and nothing odd breaks it: the rules for
// single fields are in field_reader.h.
//
//   Pcap pcap;
//   PcapFromJson(*result, Secrets::kHide, pcap);
//
// Which arm of the oneof:
//   `type` is "simple" or "full"  that one; `type` is not repeated. Fields of the other form are
//                                 extra.
//   `type` is absent, null, of    by fields that only one form has (offset_time; byte_limit,
//   another JSON type, or an      colo_name, destination_conf, error_message, packets_captured,
//   unknown text                  stop_requested). A null or Go's zero time does not count, a value
//                                 of a wrong type does: the form is told by the name. An odd `type`
//                                 is extra.
//   fields of both, or of none    no arm: every field goes to extra_fields whole, the filter too
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_PCAP_FROM_JSON_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_PCAP_FROM_JSON_H_

#include "pcap/v1/pcap.pb.h"
#include "service/mapping/json_value.h"
#include "service/source/outcome.h"
#include "service/source/redaction.h"

namespace pcap_gateway {

// `object`: a JSON object. `pcap`: empty before. Pure and thread-safe.
void PcapFromJson(const JsonValue& object, Secrets secrets, pcap::v1::Pcap& pcap);

// kFinal for success, complete and failed. A capture of no known form is taken to be moving.
Stage StageOf(const pcap::v1::Pcap& pcap);

// From `submitted` to `time_limit` after it. A capture that does not say one or the other has no
// end, and a negative limit is none.
Run RunOf(const pcap::v1::Pcap& pcap);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_PCAP_FROM_JSON_H_
