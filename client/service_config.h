// The gRPC service config (JSON) that tells a channel how to retry. Pure.
#ifndef PCAP_GATEWAY_CLIENT_SERVICE_CONFIG_H_
#define PCAP_GATEWAY_CLIENT_SERVICE_CONFIG_H_

#include <string>

#include "absl/status/status.h"
#include "pcap_client/retry_policy.h"

namespace pcap_client {

// kInvalidArgument says which member is out of range, and what the range is.
absl::Status Validate(const RetryPolicy& policy);

// The JSON for a valid policy; "{}" for one without retries.
std::string ServiceConfigJson(const RetryPolicy& policy);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_SERVICE_CONFIG_H_
