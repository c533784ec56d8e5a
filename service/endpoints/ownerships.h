// The buckets that full captures are written to: GET and POST
// /accounts/{account_id}/pcaps/ownership, POST …/ownership/validate, DELETE
// …/ownership/{ownership_id}.
#ifndef PCAP_GATEWAY_SERVICE_ENDPOINTS_OWNERSHIPS_H_
#define PCAP_GATEWAY_SERVICE_ENDPOINTS_OWNERSHIPS_H_

#include <memory>
#include <string>

#include "pcap/v1/pcap_ownership_service.pb.h"
#include "service/source/endpoint.h"

namespace pcap_gateway {

extern const Endpoint kListOwnerships;
// The queries of these two have a body.
extern const Endpoint kCreateOwnership;
extern const Endpoint kValidateOwnership;
extern const Endpoint kDeleteOwnership;

// Those bodies. They may hold a bucket's secrets.
std::shared_ptr<const std::string> BodyOf(const pcap::v1::CreateOwnershipRequest& request);
std::shared_ptr<const std::string> BodyOf(const pcap::v1::ValidateOwnershipRequest& request);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ENDPOINTS_OWNERSHIPS_H_
