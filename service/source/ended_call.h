// EndedCall: one call that is over, as operators count it, log it and look at it; CallObserver: who
// is told of it.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_ENDED_CALL_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_ENDED_CALL_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/outcome.h"
#include "service/source/query.h"

namespace pcap_gateway {

// Who called.
struct Caller {
  std::string address;    // as gRPC writes it, "ipv4:127.0.0.1:40112"
  std::string principal;  // as the policy knows it; empty: the caller showed no certificate
};

// What went out as a stream of answers.
struct Streamed {
  uint64_t messages = 0;
  uint64_t bytes = 0;  // of the messages
};

// All of it belongs to the call, and is there only while it is told.
struct EndedCall {
  absl::string_view method;  // "/pcap.v1.PcapService/GetPcap"
  // What was asked, as far as the request could be read: the ids of one that could not are all
  // zeros, and it may have no credential.
  const Query& query;
  const Reply& reply;
  absl::string_view request_id;  // what the caller was told or told us; empty: neither
  absl::Duration duration;       // from the request's arrival to its answer's leave
  // Sent on account of this call, repeated ones each: 0 for one answered from a cache, by another
  // call's request, or not at all. A refresh that it set off is nobody's.
  int upstream_requests = 0;
  std::optional<Streamed> streamed;  // absent: there was one answer at most
  // Costs some allocations.
  absl::FunctionRef<Caller()> caller;

  absl::StatusCode code() const {
    return reply.outcome->ok() ? absl::StatusCode::kOk : reply.outcome->error->code;
  }
};

class CallObserver {
 public:
  virtual ~CallObserver() = default;

  // On the call's thread, before its answer is sent, and for every call once. Any number of threads
  // at a time; must not block, and a cached call has no more than a microsecond to spare for it.
  virtual void Ended(const EndedCall& call) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_ENDED_CALL_H_
