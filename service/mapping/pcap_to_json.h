// What is to be created or proven → the JSON that Cloudflare's API takes. What is absent stays
// absent.
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_PCAP_TO_JSON_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_PCAP_TO_JSON_H_

#include <string>

#include "pcap/v1/pcap_ownership_service.pb.h"
#include "pcap/v1/pcap_service.pb.h"

namespace pcap_gateway {

// Whether the values are in their ranges is not looked at; durations are taken in whole seconds.
// Pure and thread-safe.
std::string JsonOf(const pcap::v1::CreateSimplePcap& pcap);
std::string JsonOf(const pcap::v1::CreateFullPcap& pcap);
std::string JsonOf(const pcap::v1::CreateOwnershipRequest& request);
std::string JsonOf(const pcap::v1::ValidateOwnershipRequest& request);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_PCAP_TO_JSON_H_
