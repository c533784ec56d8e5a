#include "service/gateway_metrics.h"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/operations/process_stats.h"
#include "service/rpc/method.h"
#include "service/source/method_name.h"

namespace pcap_gateway {
namespace {

// gRPC's codes as Go spells them, which is what dashboards for go-grpc-middleware's metrics expect;
// by number.
constexpr const char* kCodeNames[] = {
    "OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated",
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// The names of go-grpc-middleware's Prometheus provider, so that dashboards made for it work.
void AddReasonMetrics(const MethodStats& stats, const Labels& method, Metrics& metrics) {
  for (size_t reason = 0; reason < kReasons; ++reason) {
    Labels labels = method;
    labels.emplace_back("reason", NameOf(static_cast<Reason>(reason)));
    metrics.Add({.name = "pcap_gateway_calls_failed_total",
                 .help = "Calls that failed, by the reason in their ErrorInfo.",
                 .labels = std::move(labels),
                 .value = [&stats, reason] { return stats.failed[reason].Value(); }});
  }
}

void AddRpcMetrics(const RpcStats& stats, const Labels& method, Metrics& metrics) {
  const struct {
    const char* name;
    const char* help;
    const Counter& counter;
  } counters[] = {
      {"grpc_server_started_total", "Total number of RPCs started on the server.", stats.started},
      {"grpc_server_msg_received_total",
       "Total number of RPC stream messages received on the server.", stats.received},
      {"grpc_server_msg_sent_total", "Total number of gRPC stream messages sent by the server.",
       stats.sent},
  };
  for (const auto& [name, help, counter] : counters) {
    metrics.Add({.name = name, .help = help, .labels = method, .value = [&counter = counter] {
                   return counter.Value();
                 }});
  }
  for (size_t code = 0; code < stats.handled.size(); ++code) {
    Labels labels = method;
    labels.emplace_back("grpc_code", kCodeNames[code]);
    metrics.Add({.name = "grpc_server_handled_total",
                 .help = "Total number of RPCs completed on the server, regardless of success or "
                         "failure.",
                 .labels = std::move(labels),
                 .value = [&stats, code] { return stats.handled[code].Value(); }});
  }
  metrics.Add({.name = "grpc_server_handling_seconds",
               .help = "Histogram of response latency (seconds) of gRPC that had been "
                       "application-level handled by the server.",
               .type = Metric::Type::kHistogram,
               .labels = method,
               .histogram = [&stats] { return stats.handling.Snapshot(); }});
}

Labels MethodLabels(const std::string& type, const MethodName& name) {
  return {{"grpc_type", type},
          {"grpc_service", std::string(name.service)},
          {"grpc_method", std::string(name.method)}};
}

// How a method that is not the PcapService's streams, by its name.
std::string TypeOf(absl::string_view method) {
  if (method == "Check") return "unary";
  return method == "Watch" ? "server_stream" : "bidi_stream";
}

void AddCallMetrics(const CallStats& calls, const StreamStats& streams, Metrics& metrics) {
  for (const Method& method : Methods()) {
    const MethodStats& stats = calls.of[NumberOf(method)];
    const bool streams = method.feed != nullptr;
    const Labels labels =
        MethodLabels(streams ? "server_stream" : "unary", MethodNameOf(method.path));
    AddRpcMetrics(stats, labels, metrics);
    if (streams) {
      metrics.Add({.name = "pcap_gateway_streams_open",
                   .help = "Open streams of answers, such as downloads.",
                   .type = Metric::Type::kGauge,
                   .labels = labels,
                   .value = [&stats] { return stats.open.load(std::memory_order_relaxed); }});
    }
    AddReasonMetrics(stats, labels, metrics);
  }
  for (const auto& [path, stats] : streams.by_path()) {
    const MethodName name = MethodNameOf(path);
    AddRpcMetrics(stats, MethodLabels(TypeOf(name.method), name), metrics);
  }
  AddRpcMetrics(streams.unknown(),
                MethodLabels("bidi_stream", {.service = "unknown", .method = "unknown"}), metrics);
  metrics.Add({.name = "pcap_gateway_calls_waiting",
               .help = "Calls that wait for an answer from upstream.",
               .type = Metric::Type::kGauge,
               .value = [&calls] { return calls.waiting.load(); }});
}

// Of the PcapService's calls.
void AddCallerMetrics(const CallerCounts& callers, Metrics& metrics) {
  const auto add = [&](const char* name, const char* help, Labels labels, CallerCounts::What what) {
    metrics.Add({.name = name,
                 .help = help,
                 .labels = std::move(labels),
                 .each_label = "principal",
                 .each = [&callers, what] { return callers.All(what); }});
  };
  add("pcap_gateway_caller_calls_total",
      "Calls that are over, by the name in the caller's certificate: none, without one; other, of "
      "those beyond the first hundred names.",
      {}, CallerCounts::What::kCalls);
  add("pcap_gateway_caller_upstream_requests_total",
      "Requests sent to Cloudflare on account of these calls, repeated ones each.", {},
      CallerCounts::What::kUpstream);
  constexpr char kFailures[] = "pcap_gateway_caller_failures_total";
  constexpr char kFailuresHelp[] =
      "Of these calls, those that failed: by the caller's doing, or the gateway's or Cloudflare's.";
  add(kFailures, kFailuresHelp, {{"by", "caller"}}, CallerCounts::What::kMistakes);
  add(kFailures, kFailuresHelp, {{"by", "service"}}, CallerCounts::What::kFaults);
}

// Null stands for what is not there.
uint64_t CallsSaved(const CachingSource* cache, const SharedSource* shared) {
  uint64_t saved = 0;
  if (cache != nullptr) saved += cache->stats().hits.Value() + cache->stats().collapsed.Value();
  if (shared != nullptr) saved += shared->stats().hits.Value();
  return saved;
}

void AddCacheMetrics(const CachingSource& cache, int64_t most_bytes, Metrics& metrics) {
  const CacheStats& stats = cache.stats();
  metrics.Add({.name = "pcap_gateway_cache_hits_total",
               .help = "Calls answered from the cache.",
               .value = [&stats] { return stats.hits.Value(); }});
  metrics.Add({.name = "pcap_gateway_cache_misses_total",
               .help = "Calls that the cache had no acceptable answer for.",
               .value = [&stats] { return stats.misses.Value(); }});
  metrics.Add({.name = "pcap_gateway_cache_collapsed_total",
               .help = "Misses that waited for another call's request.",
               .value = [&stats] { return stats.collapsed.Value(); }});
  constexpr char kStale[] = "pcap_gateway_cache_stale_total";
  constexpr char kStaleHelp[] =
      "Stale answers given: as a hit while they were refreshed, or after a miss whose request "
      "failed.";
  metrics.Add(
      {.name = kStale, .help = kStaleHelp, .labels = {{"reason", "revalidate"}}, .value = [&stats] {
         return stats.revalidating.Value();
       }});
  metrics.Add(
      {.name = kStale, .help = kStaleHelp, .labels = {{"reason", "error"}}, .value = [&stats] {
         return stats.stale_if_error.Value();
       }});
  metrics.Add({.name = "pcap_gateway_cache_refreshes_total",
               .help = "Requests that no call waited for.",
               .value = [&stats] { return stats.refreshes.Value(); }});
  metrics.Add({.name = "pcap_gateway_cache_confirmed_total",
               .help = "Answers that fell behind a final one, which was kept in their stead.",
               .value = [&stats] { return stats.confirmed.Value(); }});
  metrics.Add({.name = "pcap_gateway_cache_evictions_total",
               .help = "Entries dropped to make room.",
               .value = [&cache] { return cache.store_stats().evictions; }});
  metrics.Add({.name = "pcap_gateway_cache_entries",
               .help = "Entries in the cache, stale ones too.",
               .type = Metric::Type::kGauge,
               .value = [&cache] { return cache.store_stats().entries; }});
  metrics.Add({.name = "pcap_gateway_cache_bytes",
               .help = "Bytes that the cache's entries count for.",
               .type = Metric::Type::kGauge,
               .value = [&cache] { return cache.store_stats().bytes; }});
  metrics.Add({.name = "pcap_gateway_cache_limit_bytes",
               .help = "Bytes that the cache's entries may count for.",
               .type = Metric::Type::kGauge,
               .value = [most_bytes] { return most_bytes; }});
}

void AddRedisMetrics(const SharedSource& shared, Metrics& metrics) {
  const SharedStats& stats = shared.stats();
  const RedisStats& redis = shared.redis_stats();
  metrics.Add({.name = "pcap_gateway_redis_up",
               .help = "1 while Redis answers; 0 while calls go on without it.",
               .type = Metric::Type::kGauge,
               .value = [&redis] { return redis.up.load() ? 1 : 0; }});
  const struct {
    const char* name;
    const char* help;
    const Counter& counter;
  } counters[] = {
      {"pcap_gateway_redis_hits_total", "Questions answered from Redis.", stats.hits},
      {"pcap_gateway_redis_misses_total", "Questions that Redis had no acceptable answer for.",
       stats.misses},
      {"pcap_gateway_redis_waits_total", "Questions that waited for another replica's request.",
       stats.waits},
      {"pcap_gateway_redis_stores_total", "Outcomes that Redis took.", stats.stores},
      {"pcap_gateway_redis_corrupt_total", "Entries in Redis that were not ours.", stats.corrupt},
      {"pcap_gateway_redis_skipped_total", "Commands not sent, as Redis was down.", redis.skipped},
  };
  for (const auto& [name, help, counter] : counters) {
    metrics.Add(
        {.name = name, .help = help, .value = [&counter = counter] { return counter.Value(); }});
  }
  const struct {
    const char* kind;
    const Counter& counter;
  } failures[] = {{"timeout", redis.timeouts},
                  {"connection", redis.connections},
                  {"reply", redis.errors},
                  {"overload", redis.overloads}};
  for (const auto& [kind, counter] : failures) {
    metrics.Add({.name = "pcap_gateway_redis_failures_total",
                 .help = "Commands that failed, and connections lost or refused, by kind.",
                 .labels = {{"kind", kind}},
                 .value = [&counter = counter] { return counter.Value(); }});
  }
  for (size_t i = 0; i < kRedisRefusals.size(); ++i) {
    metrics.Add({.name = "pcap_gateway_redis_refusals_total",
                 .help = "Errors by which Redis said that it is not to be used, by their first "
                         "word.",
                 .labels = {{"kind", std::string(kRedisRefusals[i])}},
                 .value = [&redis, i] { return redis.refusals[i].Value(); }});
  }
}

void AddUpstreamMetrics(const CurlStats& stats, Metrics& metrics) {
  metrics.Add({.name = "pcap_gateway_upstream_requests_total",
               .help = "Requests sent to Cloudflare.",
               .value = [&stats] { return stats.started.Value(); }});
  for (size_t i = 0; i < stats.answered.size(); ++i) {
    metrics.Add({.name = "pcap_gateway_upstream_answers_total",
                 .help = "Requests that got an HTTP answer, by its status.",
                 .labels = {{"code", absl::StrCat(i + 1, "xx")}},
                 .value = [&stats, i] { return stats.answered[i].Value(); }});
  }
  for (size_t i = 0; i < stats.failed.size(); ++i) {
    const auto kind = static_cast<TransportFailure::Kind>(i);
    metrics.Add({.name = "pcap_gateway_upstream_failures_total",
                 .help = "Requests that got no HTTP answer, by kind; cancelled ones, too.",
                 .labels = {{"kind", std::string(NameOf(kind))}},
                 .value = [&stats, i] { return stats.failed[i].Value(); }});
  }
  metrics.Add({.name = "pcap_gateway_upstream_resent_total",
               .help =
                   "Requests that libcurl sent again by itself, as their connection was dead or "
                   "the server had left them behind.",
               .value = [&stats] { return stats.resent.Value(); }});
  metrics.Add({.name = "pcap_gateway_upstream_request_duration_seconds",
               .help = "From a request's sending to the last byte of its answer.",
               .type = Metric::Type::kHistogram,
               .histogram = [&stats] { return stats.duration.Snapshot(); }});
}

// The least that is left to any of the credentials in use; the limit, while none is.
BudgetView Scarcest(BudgetedClient& budgeted, int64_t limit) {
  constexpr size_t kMost = 1000;
  BudgetView scarcest{.limit = limit, .left = limit};
  for (const BudgetView& view : budgeted.Views(kMost)) {
    if (view.left <= scarcest.left) scarcest = view;
  }
  return scarcest;
}

void AddBudgetMetrics(const MeteredParts& parts, Metrics& metrics) {
  BudgetedClient& budgeted = *parts.budgeted;
  const Labels labels = {{"credential", parts.callers_credential ? "caller" : "service"}};
  metrics.Add({.name = "pcap_gateway_upstream_budget_limit",
               .help = "Requests that a credential may send in any five minutes; of callers' "
                       "credentials, that of the one with the least left.",
               .type = Metric::Type::kGauge,
               .labels = labels,
               .value = [&budgeted, limit = parts.budget_limit] {
                 return Scarcest(budgeted, limit).limit;
               }});
  metrics.Add({.name = "pcap_gateway_upstream_budget_left",
               .help = "Of these, those that would be granted at once.",
               .type = Metric::Type::kGauge,
               .labels = labels,
               .value = [&budgeted, limit = parts.budget_limit] {
                 return Scarcest(budgeted, limit).left;
               }});
  const auto by_caller = [&](const char* name, const char* help, int64_t CallerView::* figure) {
    metrics.Add({.name = name,
                 .help = help,
                 .type = Metric::Type::kGauge,
                 .labels = labels,
                 .each_label = "caller",
                 .each = [&budgeted, limit = parts.budget_limit, figure] {
                   std::vector<std::pair<std::string, double>> values;
                   for (const CallerView& caller : Scarcest(budgeted, limit).callers) {
                     values.emplace_back(caller.name, static_cast<double>(caller.*figure));
                   }
                   return values;
                 }});
  };
  by_caller("pcap_gateway_upstream_budget_caller_spent",
            "Of the ten callers that spent most of that budget here, the requests that each has "
            "spent in the last five minutes.",
            &CallerView::spent);
  by_caller("pcap_gateway_upstream_budget_caller_asked",
            "Of these callers, the requests that each has asked for, refused ones too.",
            &CallerView::demand);
}

// Null: an option turned it off.
void AddProtectionMetrics(const BudgetedClient* budgeted, const LimitedClient& limited,
                          const BreakerClient* breaker, const RetryingClient* retrying,
                          Metrics& metrics) {
  const auto withheld = [&metrics](const char* reason, const Counter& counter) {
    metrics.Add({.name = "pcap_gateway_upstream_withheld_total",
                 .help = "Requests that were not sent to Cloudflare, by reason.",
                 .labels = {{"reason", reason}},
                 .value = [&counter] { return counter.Value(); }});
  };
  withheld("queue", limited.stats().refused);
  withheld("queue_refresh", limited.stats().refused_refreshes);
  metrics.Add({.name = "pcap_gateway_upstream_requests_in_flight",
               .help = "Requests sent to Cloudflare that have no answer yet.",
               .type = Metric::Type::kGauge,
               .value = [&stats = limited.stats()] { return stats.in_flight.load(); }});
  const auto queued = [&metrics](const char* what, const std::atomic<int64_t>& waiting) {
    metrics.Add({.name = "pcap_gateway_upstream_requests_queued",
                 .help = "Requests that wait for their turn, as enough are in flight.",
                 .type = Metric::Type::kGauge,
                 .labels = {{"for", what}},
                 .value = [&waiting] { return waiting.load(); }});
  };
  queued("call", limited.stats().waiting);
  queued("refresh", limited.stats().refreshes_waiting);
  if (budgeted != nullptr) {
    const BudgetStats& stats = budgeted->stats();
    withheld("budget", stats.withheld);
    withheld("budget_caller", stats.withheld_caller);
    withheld("budget_refresh", stats.withheld_background);
    metrics.Add(
        {.name = "pcap_gateway_upstream_counted_alone_total",
         .help = "Requests that were counted by this replica alone, as Redis could not be asked.",
         .value = [&stats] { return stats.alone.Value(); }});
    metrics.Add({.name = "pcap_gateway_upstream_rate_limited_total",
                 .help = "Answers with HTTP status 429.",
                 .value = [&stats] { return stats.blocked.Value(); }});
  }
  if (breaker != nullptr) {
    const BreakerStats& stats = breaker->stats();
    withheld("circuit", stats.withheld);
    metrics.Add({.name = "pcap_gateway_upstream_circuit_state",
                 .help = "Of the circuit that is worst. 0: requests pass; 1: one does, to see; "
                         "2: none does.",
                 .type = Metric::Type::kGauge,
                 .value = [&stats] { return stats.state.load(); }});
  }
  if (retrying != nullptr) {
    const RetryStats& stats = retrying->stats();
    metrics.Add({.name = "pcap_gateway_upstream_retries_total",
                 .help = "Requests that were repeated.",
                 .value = [&stats] { return stats.retries.Value(); }});
    metrics.Add({.name = "pcap_gateway_upstream_retries_forgone_total",
                 .help = "Failures that were not repeated, as too many were.",
                 .value = [&stats] { return stats.over_allowance.Value(); }});
  }
}

void AddAccessMetrics(const AccessFiles& access, Metrics& metrics) {
  for (const auto& [name, stats] : access.stats()) {
    const auto reloads = [&metrics, &name = name](const char* result, const Counter& counter) {
      metrics.Add({.name = "pcap_gateway_reloads_total",
                   .help = "Times that changed files were taken, or refused and the old ones kept.",
                   .labels = {{"file", name}, {"result", result}},
                   .value = [&counter] { return counter.Value(); }});
    };
    reloads("ok", stats->reloaded);
    reloads("failed", stats->refused);
  }
  if (!access.not_after().has_value()) return;
  metrics.Add({.name = "pcap_gateway_certificate_expiry_timestamp_seconds",
               .help = "When the certificate that callers see expires, in Unix time.",
               .type = Metric::Type::kGauge,
               .value = [&access] {
                 return absl::ToUnixSeconds(access.not_after().value_or(absl::UnixEpoch()));
               }});
}

void AddTracingMetrics(const TracingStats& stats, Metrics& metrics) {
  metrics.Add({.name = "pcap_gateway_spans_exported_total",
               .help = "Spans that the OpenTelemetry collector took.",
               .value = [&stats] { return stats.exported.Value(); }});
  const auto dropped = [&metrics](const char* reason, const Counter& counter) {
    metrics.Add({.name = "pcap_gateway_spans_dropped_total",
                 .help = "Spans that are lost: `export`, the collector did not take them; `queue`, "
                         "as many waited for it as may.",
                 .labels = {{"reason", reason}},
                 .value = [&counter] { return counter.Value(); }});
  };
  dropped("export", stats.failed);
  dropped("queue", stats.over_bounds);
}

void AddHandoverMetrics(const EventLoop& loop, const CallStats& calls, Metrics& metrics) {
  const auto handovers = [&](const char* to, const Counter& counter) {
    metrics.Add({.name = "pcap_gateway_handovers_total",
                 .help = "What one thread handed to another: to the loop's, which asks Redis and "
                         "Cloudflare, and back to the calls'. A call that misses the cache has one "
                         "of each.",
                 .labels = {{"to", to}},
                 .value = [&counter] { return counter.Value(); }});
  };
  handovers("loop", loop.stats().handed_in);
  handovers("calls", calls.handed_back);
}

void AddWatchMetrics(const WatchStats& stats, Metrics& metrics) {
  metrics.Add({.name = "pcap_gateway_watch_rounds",
               .help =
                   "Credentials and accounts whose captures are watched; each asks for its list "
                   "once for all who watch.",
               .type = Metric::Type::kGauge,
               .value = [&stats] { return stats.rounds.load(); }});
  metrics.Add({.name = "pcap_gateway_watch_watchers",
               .help = "Calls that watch captures now.",
               .type = Metric::Type::kGauge,
               .value = [&stats] { return stats.watchers.load(); }});
  metrics.Add(
      {.name = "pcap_gateway_watch_lists_total",
       .help = "Lists that were asked for on account of watchers, from caches or Cloudflare.",
       .value = [&stats] { return stats.asked.Value(); }});
  metrics.Add(
      {.name = "pcap_gateway_watch_lists_failed_total",
       .help = "Of these, those that brought nothing new, as Cloudflare could not be asked.",
       .value = [&stats] { return stats.failed.Value(); }});
  metrics.Add({.name = "pcap_gateway_watch_changes_total",
               .help = "Captures that were new to those who watch their account, or had changed.",
               .value = [&stats] { return stats.changes.Value(); }});
}

// By the names that Prometheus' client libraries have for them.
void AddProcessMetrics(Metrics& metrics) {
  using Value = double (*)(const ProcessStats&);
  const struct {
    const char* name;
    const char* help;
    Metric::Type type;
    Value value;
  } all[] = {
      {"process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
       Metric::Type::kCounter, [](const ProcessStats& stats) { return stats.cpu_seconds; }},
      {"process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
       Metric::Type::kGauge, [](const ProcessStats& stats) { return stats.start_time; }},
      {"process_resident_memory_bytes", "Resident memory size in bytes.", Metric::Type::kGauge,
       [](const ProcessStats& stats) { return static_cast<double>(stats.resident_bytes); }},
      {"process_virtual_memory_bytes", "Virtual memory size in bytes.", Metric::Type::kGauge,
       [](const ProcessStats& stats) { return static_cast<double>(stats.virtual_bytes); }},
      {"process_open_fds", "Number of open file descriptors.", Metric::Type::kGauge,
       [](const ProcessStats& stats) { return static_cast<double>(stats.open_fds); }},
      {"process_max_fds", "Maximum number of open file descriptors.", Metric::Type::kGauge,
       [](const ProcessStats& stats) { return static_cast<double>(stats.max_fds); }},
  };
  for (const auto& [name, help, type, value] : all) {
    metrics.Add({.name = name, .help = help, .type = type, .value = [value = value] {
                   return value(ReadProcessStats());
                 }});
  }
}

}  // namespace

void AddGatewayMetrics(const MeteredParts& parts, const char* version, Metrics& metrics) {
  metrics.Add({.name = "pcap_gateway_build_info",
               .help = "1, with the version of this build.",
               .type = Metric::Type::kGauge,
               .labels = {{"version", version}},
               .value = [] { return 1; }});
  AddCallMetrics(*parts.calls, *parts.streams, metrics);
  AddCallerMetrics(*parts.callers, metrics);
  if (parts.cache != nullptr) AddCacheMetrics(*parts.cache, parts.most_cache_bytes, metrics);
  if (parts.shared != nullptr) AddRedisMetrics(*parts.shared, metrics);
  metrics.Add({.name = "pcap_gateway_upstream_calls_saved_total",
               .help = "Calls that were answered without a request of their own: hits, collapsed "
                       "ones, and Redis' hits.",
               .value = [cache = parts.cache, shared = parts.shared] {
                 return CallsSaved(cache, shared);
               }});
  AddWatchMetrics(parts.watches->stats(), metrics);
  AddHandoverMetrics(*parts.loop, *parts.calls, metrics);
  AddUpstreamMetrics(parts.curl->stats(), metrics);
  if (parts.budgeted != nullptr) AddBudgetMetrics(parts, metrics);
  AddAccessMetrics(*parts.access, metrics);
  AddProcessMetrics(metrics);
  AddProtectionMetrics(parts.budgeted, *parts.limited, parts.breaker, parts.retrying, metrics);
  if (parts.tracing != nullptr) AddTracingMetrics(parts.tracing->stats(), metrics);
}

void AddLimitMetrics(const Server& server, Metrics& metrics) {
  metrics.Add({.name = "pcap_gateway_connections",
               .help = "Open connections of callers.",
               .type = Metric::Type::kGauge,
               .value = [&server] { return server.connections(); }});
  metrics.Add({.name = "pcap_gateway_connections_refused_total",
               .help = "Connections refused, as there were --max-connections.",
               .value = [&server] { return server.refused_connections().Value(); }});
  metrics.Add({.name = "pcap_gateway_calls_refused_total",
               .help = "Calls refused, as --max-calls waited for an answer.",
               .value = [&server] { return server.stats().refused.Value(); }});
  const StreamLimitStats& streams = server.stats().streams;
  metrics.Add({.name = "pcap_gateway_streams",
               .help = "Open streams of callers: calls, health checks and watches, reflection.",
               .type = Metric::Type::kGauge,
               .value = [&server] { return server.open_streams(); }});
  metrics.Add({.name = "pcap_gateway_streams_refused_total",
               .help = "Streams refused or ended, as there were --max-streams or "
                       "--max-streams-per-connection, or --max-downloads.",
               .value = [&streams] { return streams.refused.Value(); }});
  metrics.Add({.name = "pcap_gateway_streams_late_total",
               .help = "Streams ended, as their callers kept the gateway waiting for "
                       "--first-message-timeout or --stream-idle-timeout.",
               .value = [&streams] { return streams.late.Value(); }});
}

}  // namespace pcap_gateway
