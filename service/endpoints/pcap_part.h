// PartOf: what an answer says of one of the captures in it.
#ifndef PCAP_GATEWAY_SERVICE_ENDPOINTS_PCAP_PART_H_
#define PCAP_GATEWAY_SERVICE_ENDPOINTS_PCAP_PART_H_

#include "pcap/v1/pcap.pb.h"
#include "service/source/endpoint.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

// `pcap`: out of `answer`. The part's message is a GetPcapResponse with the capture alone, which is
// a WatchPcapsResponse, too: the capture is field 1 of both.
Part PartOf(const pcap::v1::Pcap& pcap, const Outcome& answer);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ENDPOINTS_PCAP_PART_H_
