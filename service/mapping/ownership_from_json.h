// A bucket's JSON object → pcap.v1.Ownership, by the rules of pcap_from_json.h: nothing is lost,
// and nothing odd breaks it. `validated` is an empty text while there is no such time.
//
//   Ownership ownership;
//   OwnershipFromJson(*result, Secrets::kHide, ownership);
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_OWNERSHIP_FROM_JSON_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_OWNERSHIP_FROM_JSON_H_

#include "pcap/v1/pcap_ownership_service.pb.h"
#include "service/mapping/json_value.h"
#include "service/source/redaction.h"

namespace pcap_gateway {

// `object`: a JSON object. `ownership`: empty before. Pure and thread-safe.
void OwnershipFromJson(const JsonValue& object, Secrets secrets, pcap::v1::Ownership& ownership);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_OWNERSHIP_FROM_JSON_H_
