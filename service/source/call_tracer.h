// CallTracer: whoever follows calls through several services, with a span for each; CallSpan: what
// it keeps of one call.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_CALL_TRACER_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_CALL_TRACER_H_

#include <chrono>
#include <memory>

#include "absl/strings/string_view.h"
#include "service/source/ended_call.h"
#include "service/source/query.h"

namespace pcap_gateway {

// On the call's thread. May outlive the tracer's last Begin, but not the tracer.
class CallSpan {
 public:
  virtual ~CallSpan() = default;

  // The call is over; before its answer is sent. At most once. Must not block.
  virtual void End(const EndedCall& call) = 0;
};

class CallTracer {
 public:
  virtual ~CallTracer() = default;

  // `method`: "/pcap.v1.PcapService/GetPcap". `trace`: the caller's; its `traceparent` becomes that
  // of the call's own span, which is what the log tells and requests upstream descend from. Any
  // thread; must not block.
  virtual std::unique_ptr<CallSpan> Begin(absl::string_view method,
                                          std::chrono::steady_clock::time_point began,
                                          Trace& trace) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_CALL_TRACER_H_
