// What /metrics shows of a gateway's parts.
#ifndef PCAP_GATEWAY_SERVICE_GATEWAY_METRICS_H_
#define PCAP_GATEWAY_SERVICE_GATEWAY_METRICS_H_

#include <cstdint>

#include "service/access/access_files.h"
#include "service/cache/caching_source.h"
#include "service/loop/event_loop.h"
#include "service/operations/caller_counts.h"
#include "service/operations/metrics.h"
#include "service/rpc/call_stats.h"
#include "service/rpc/server.h"
#include "service/rpc/stream_stats.h"
#include "service/shared/shared_source.h"
#include "service/tracing/tracing.h"
#include "service/upstream/breaker_client.h"
#include "service/upstream/budgeted_client.h"
#include "service/upstream/curl_client.h"
#include "service/upstream/limited_client.h"
#include "service/upstream/retrying_client.h"
#include "service/watch/watches.h"
#include "service/writes/write_source.h"

namespace pcap_gateway {

// The parts; null: an option turned it off. All outlive the metrics.
struct MeteredParts {
  const CallStats* calls;       // never null
  const StreamStats* streams;   // never null
  const CallerCounts* callers;  // never null
  const CachingSource* cache;
  int64_t most_cache_bytes;
  const SharedSource* shared;
  const Watches* watches;  // never null
  const WriteSource* writes = nullptr;
  const EventLoop* loop = nullptr;
  const CurlClient* curl;  // never null
  BudgetedClient* budgeted;
  int64_t budget_limit;          // requests in five minutes, while Cloudflare has said nothing else
  bool callers_credential;       // each call brings its own
  const LimitedClient* limited;  // never null
  const BreakerClient* breaker;
  const RetryingClient* retrying;
  const AccessFiles* access;  // never null
  const Tracing* tracing;
};

void AddGatewayMetrics(const MeteredParts& parts, const char* version, Metrics& metrics);

// Connections and calls against their limits. The server outlives the metrics.
void AddLimitMetrics(const Server& server, Metrics& metrics);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_GATEWAY_METRICS_H_
