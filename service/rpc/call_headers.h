// CallHeaders: what a call's metadata says, validated. Foreign text ends here: what comes out may
// be sent upstream and back in metadata.
#ifndef PCAP_GATEWAY_SERVICE_RPC_CALL_HEADERS_H_
#define PCAP_GATEWAY_SERVICE_RPC_CALL_HEADERS_H_

#include <memory>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "service/rpc/cache_control.h"
#include "service/source/credential.h"
#include "service/source/error.h"
#include "service/source/query.h"

namespace pcap_gateway {

// One metadata entry after the other is shown to `Read`; then the object says what they mean. The
// texts shown outlive the object.
class CallHeaders {
 public:
  void Read(absl::string_view key, absl::string_view value);

  const CacheControl& cache_control() const { return cache_control_; }

  // `traceparent` (W3C Trace Context), `tracestate` where that is valid, `x-request-id`; each empty
  // where it is absent or malformed.
  Trace trace() const;

  // The caller's own credential: `authorization: Bearer TOKEN`, or `x-auth-email` and `x-auth-key`.
  // None of these, or one that cannot be sent on, is an error that repeats none of it.
  std::variant<std::shared_ptr<const Credential>, Error> credential() const;

 private:
  CacheControl cache_control_;
  absl::string_view traceparent_;
  absl::string_view tracestate_;
  absl::string_view request_id_;
  absl::string_view authorization_;
  absl::string_view email_;
  absl::string_view key_;
};

// A fresh id for a call that brought none: 32 hex digits.
std::string NewRequestId();

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CALL_HEADERS_H_
