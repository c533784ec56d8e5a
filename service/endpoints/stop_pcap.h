// StopPcap: PUT /accounts/{account_id}/pcaps/{pcap_id}/stop.
#ifndef PCAP_GATEWAY_SERVICE_ENDPOINTS_STOP_PCAP_H_
#define PCAP_GATEWAY_SERVICE_ENDPOINTS_STOP_PCAP_H_

#include "service/source/endpoint.h"

namespace pcap_gateway {

extern const Endpoint kStopPcap;

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ENDPOINTS_STOP_PCAP_H_
