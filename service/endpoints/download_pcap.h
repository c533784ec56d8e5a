#ifndef PCAP_GATEWAY_SERVICE_ENDPOINTS_DOWNLOAD_PCAP_H_
#define PCAP_GATEWAY_SERVICE_ENDPOINTS_DOWNLOAD_PCAP_H_

#include "service/source/endpoint.h"

namespace pcap_gateway {

// GET /accounts/{account_id}/pcaps/{pcap_id}/download; the packets go to Query::sink, and an
// outcome that is ok has no message.
extern const Endpoint kDownloadPcap;

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ENDPOINTS_DOWNLOAD_PCAP_H_
