// Tracing: spans for OpenTelemetry. One for each call, and one for each request upstream below it,
// sent in batches to a collector over OTLP/HTTP.
//
//   absl::StatusOr<std::unique_ptr<Tracing>> tracing =
//       Tracing::Start({.url = "http://127.0.0.1:4318/v1/traces", .redact = redact,
//                       .cache_status = CacheStatusText, .log = log});
//   if (!tracing.ok()) return tracing.status();
//   std::unique_ptr<HttpClient> client = (*tracing)->Around(curl);
//   auto server = Server::Start(source, {.listen = "[::1]:50051", .tracer = tracing->get()});
//
// Takes opentelemetry-cpp, which Debian has from 13 on. tracing.cc is for builds with it,
// no_tracing.cc for those without.
#ifndef PCAP_GATEWAY_SERVICE_TRACING_TRACING_H_
#define PCAP_GATEWAY_SERVICE_TRACING_TRACING_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/counter.h"
#include "service/source/call_tracer.h"
#include "service/source/outcome.h"
#include "service/tracing/sampling.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

// Whether this build has spans. Without them Start fails.
bool HasTracing();

struct TracingOptions {
  // Where the collector takes spans: http or https, the path included.
  std::string url;
  Sampling sampling;
  std::string version;  // of this program
  // Takes out of a text what spans must not hold; any thread.
  std::function<std::string(absl::string_view)> redact;
  // A cache status as callers are told it; any thread.
  std::function<std::string(const CacheStatus&)> cache_status;
  // Takes one line for operators when the collector stops taking spans, with `is_up` false, and
  // one when it takes them again; any thread.
  std::function<void(bool is_up, const std::string& line)> log;
};

// Any thread reads them.
struct TracingStats {
  Counter exported;     // spans that the collector took
  Counter failed;       // spans that it did not
  Counter over_bounds;  // spans that came when as many waited as may
};

class Tracing : public CallTracer {
 public:
  // So many spans wait for the collector at most; further ones are counted and gone.
  static constexpr size_t kMostWaiting = 2048;

  // Starts the threads. Does not look for the collector. One at a time in a process.
  static absl::StatusOr<std::unique_ptr<Tracing>> Start(const TracingOptions& options);

  // Sends what waits. Takes six seconds at most, whatever the collector does; one that took
  // nothing last time is given no more than what is under way.
  ~Tracing() override = default;

  // A client that sends each request by `inner`, with a span. The request's header line
  // `traceparent` names the span above, and becomes that of the request's own. `inner` and this
  // outlive it.
  virtual std::unique_ptr<HttpClient> Around(HttpClient& inner) = 0;

  virtual const TracingStats& stats() const = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_TRACING_TRACING_H_
