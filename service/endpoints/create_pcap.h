// CreatePcap: POST /accounts/{account_id}/pcaps.
#ifndef PCAP_GATEWAY_SERVICE_ENDPOINTS_CREATE_PCAP_H_
#define PCAP_GATEWAY_SERVICE_ENDPOINTS_CREATE_PCAP_H_

#include <memory>
#include <string>

#include "pcap/v1/pcap_service.pb.h"
#include "service/source/endpoint.h"

namespace pcap_gateway {

// Its query has a body.
extern const Endpoint kCreatePcap;

// That body. Null: the request has neither form.
std::shared_ptr<const std::string> BodyOf(const pcap::v1::CreatePcapRequest& request);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ENDPOINTS_CREATE_PCAP_H_
