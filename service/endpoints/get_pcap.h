// GetPcap: GET /accounts/{account_id}/pcaps/{pcap_id} → GetPcapResponse.
#ifndef PCAP_GATEWAY_SERVICE_ENDPOINTS_GET_PCAP_H_
#define PCAP_GATEWAY_SERVICE_ENDPOINTS_GET_PCAP_H_

#include "service/source/endpoint.h"

namespace pcap_gateway {

// Its outcome is final once the capture is.
extern const Endpoint kGetPcap;

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ENDPOINTS_GET_PCAP_H_
