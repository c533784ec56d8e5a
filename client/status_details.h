// Reads the google.rpc.Status that the gateway sends beside a failed call. Pure; the other end of
// service/rpc/status_details.h.
#ifndef PCAP_GATEWAY_CLIENT_STATUS_DETAILS_H_
#define PCAP_GATEWAY_CLIENT_STATUS_DETAILS_H_

#include <string>

#include "pcap_client/call_error.h"

namespace pcap_client {

// Fills `error` from `details`, the bytes of `grpc-status-details-bin`. Code and message stay:
// those of the call itself decide. Details of unknown types, that cannot be parsed, or that make no
// sense (a negative delay) are passed over; of a type that comes twice the first counts.
void ReadStatusDetails(const std::string& details, CallError& error);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_STATUS_DETAILS_H_
