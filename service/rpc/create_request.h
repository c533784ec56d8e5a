// What CreatePcap asks for, checked: what is outside its documented range is said by field, and no
// request is spent on it.
#ifndef PCAP_GATEWAY_SERVICE_RPC_CREATE_REQUEST_H_
#define PCAP_GATEWAY_SERVICE_RPC_CREATE_REQUEST_H_

#include "absl/time/time.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/rpc/request_fields.h"

namespace pcap_gateway {

// The form and the request_id; the account is not looked at. `now`: what "the last 24 hours" is
// about.
void CheckCreate(const pcap::v1::CreatePcapRequest& request, absl::Time now, RequestFields& fields);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CREATE_REQUEST_H_
