// CallEnvironment: what all calls of a server share.
#ifndef PCAP_GATEWAY_SERVICE_RPC_CALL_ENVIRONMENT_H_
#define PCAP_GATEWAY_SERVICE_RPC_CALL_ENVIRONMENT_H_

#include <cstdint>
#include <vector>

#include "service/access/policy.h"
#include "service/base/clock.h"
#include "service/base/current.h"
#include "service/rpc/call_stats.h"
#include "service/rpc/method.h"
#include "service/rpc/raw_service.h"
#include "service/source/call_tracer.h"
#include "service/source/credential.h"
#include "service/source/ended_call.h"
#include "service/source/source.h"

namespace pcap_gateway {

// Outlives the calls.
struct CallEnvironment {
  RawService& service;
  Source& source;
  Watches* const watches;  // null where nobody watches
  const CallDefaults& defaults;
  // Null: each caller brings its own.
  const Current<Credential>& service_credential;
  const Current<Policy>& policy;
  CallStats& stats;
  const std::vector<CallObserver*>& observers;
  CallTracer* const tracer;  // null: calls have no spans
  const Clock& clock;        // the source's
  const bool certificates;   // callers show some
  const int64_t most_calls;  // whose answer is not at hand, at once; 0: any number
  const Allowed allowed;
  const int64_t most_downloads;  // at once; 0: any number
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CALL_ENVIRONMENT_H_
