// Reply → what gRPC sends: message, metadata, status.
//
// The only door to response metadata. gRPC 1.51 aborts the process on a value that is not printable
// ASCII, so no other file calls AddInitialMetadata or AddTrailingMetadata.
#ifndef PCAP_GATEWAY_SERVICE_RPC_REPLY_H_
#define PCAP_GATEWAY_SERVICE_RPC_REPLY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "service/source/outcome.h"

namespace grpc {
class ByteBuffer;
class ServerContextBase;
class Status;
}  // namespace grpc

namespace pcap_gateway {

// RFC 9211: `pcap-gateway; hit; ttl=27`, `pcap-gateway; fwd=uri-miss; stored; ttl=2`. What it has
// no word for is a `detail`: `shared` (a hit in the tier that replicas share), `stale-if-error`,
// `only-if-cached`. Empty where the call failed before a cache or Cloudflare was asked.
std::string CacheStatusText(const CacheStatus& status);

// Puts `cache-status`, `age`, `cf-ray` and `x-request-id` into the call's metadata, as far as they
// are known: with an answer into the initial metadata, with an error into the trailing, since an
// attempt that got initial metadata is not tried again by any gRPC client (gRFC A6). `age` and
// `cf-ray` only with an outcome that came from Cloudflare; `cf-ray` only where this very call
// asked. A stream's go into the trailing metadata in any case (`streamed`). What failed at
// Cloudflare has `grpc-retry-pushback-ms: -1`, too: gRPC clients that retry by service config are
// not to multiply the gateway's own tries (gRFC A6). A negative number means that in all of them; 0
// would hang later ones (grpc#41036).
void AddResponseMetadata(const Reply& reply, absl::string_view request_id, bool streamed,
                         grpc::ServerContextBase& context);

// The outcome's message as gRPC wants it.
grpc::ByteBuffer MessageBytes(const OutcomePtr& outcome);

// OK, or the error with its details.
grpc::Status StatusOf(const Outcome& outcome, absl::string_view request_id);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_REPLY_H_
