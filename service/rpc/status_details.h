// Error → google.rpc.Status: the one place where the gateway's errors become gRPC's.
#ifndef PCAP_GATEWAY_SERVICE_RPC_STATUS_DETAILS_H_
#define PCAP_GATEWAY_SERVICE_RPC_STATUS_DETAILS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "service/source/error.h"

namespace pcap_gateway {

// The largest that fits into every client's default limit of 8 KiB for all trailers: the message
// goes twice, once percent-encoded, and the details are base64.
inline constexpr size_t kMostMessageBytes = 1024;
inline constexpr size_t kMostStatusBytes = 3072;

// The serialised google.rpc.Status of `error`: one ErrorInfo of domain pcap.v1, and BadRequest,
// RetryInfo, Help and RequestInfo where there is something to say. `request_id` and `cf_ray` may be
// empty. What does not fit into kMostStatusBytes is left out, ErrorInfo last.
std::string SerializedStatus(const Error& error, absl::string_view request_id,
                             absl::string_view cf_ray);

// `text` cut to at most `most` bytes, never inside a UTF-8 sequence.
absl::string_view Truncated(absl::string_view text, size_t most);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_STATUS_DETAILS_H_
