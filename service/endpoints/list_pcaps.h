// ListPcaps: GET /accounts/{account_id}/pcaps.
#ifndef PCAP_GATEWAY_SERVICE_ENDPOINTS_LIST_PCAPS_H_
#define PCAP_GATEWAY_SERVICE_ENDPOINTS_LIST_PCAPS_H_

#include "service/source/endpoint.h"

namespace pcap_gateway {

extern const Endpoint kListPcaps;

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ENDPOINTS_LIST_PCAPS_H_
