#include "service/gateway.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/cache/caching_source.h"
#include "service/operations/admin_listener.h"
#include "service/operations/metrics.h"
#include "service/rpc/server.h"
#include "service/shared/redis_client.h"
#include "service/shared/shared_ledger.h"
#include "service/shared/shared_source.h"
#include "service/source/clock.h"
#include "service/upstream/breaker_client.h"
#include "service/upstream/budgeted_client.h"
#include "service/upstream/curl_client.h"
#include "service/upstream/limited_client.h"
#include "service/upstream/rest_source.h"
#include "service/upstream/retrying_client.h"
#include "spdlog/spdlog.h"

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

void AddCallMetrics(const CallStats& stats, Metrics& metrics) {
  const std::vector<std::pair<std::string, std::string>> method = {
      {"grpc_type", "unary"}, {"grpc_service", "pcap.v1.PcapService"}, {"grpc_method", "GetPcap"}};
  metrics.Add({.name = "grpc_server_started_total",
               .help = "Total number of RPCs started on the server.",
               .labels = method,
               .value = [&stats] { return stats.started.Value(); }});
  for (size_t code = 0; code < stats.handled.size(); ++code) {
    auto labels = method;
    labels.emplace_back("grpc_code", kCodeNames[code]);
    metrics.Add({.name = "grpc_server_handled_total",
                 .help = "Total number of RPCs completed on the server, by code.",
                 .labels = std::move(labels),
                 .value = [&stats, code] { return stats.handled[code].Value(); }});
  }
  metrics.Add({.name = "pcap_gateway_calls_waiting",
               .help = "Calls that wait for an answer from upstream.",
               .type = Metric::Type::kGauge,
               .value = [&stats] { return stats.waiting.load(); }});
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
      {"pcap_gateway_redis_stores_total", "Outcomes given to Redis.", stats.stores},
      {"pcap_gateway_redis_corrupt_total", "Entries in Redis that were none of ours.",
       stats.corrupt},
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
}

void AddUpstreamMetrics(const CurlStats& stats, Metrics& metrics) {
  metrics.Add({.name = "pcap_gateway_upstream_requests_total",
               .help = "Requests sent to Cloudflare.",
               .value = [&stats] { return stats.started.Value(); }});
  metrics.Add({.name = "pcap_gateway_upstream_answers_total",
               .help = "Requests that got an HTTP answer, of whatever status.",
               .value = [&stats] { return stats.answered.Value(); }});
  metrics.Add({.name = "pcap_gateway_upstream_failures_total",
               .help = "Requests that got no HTTP answer, cancelled ones too.",
               .value = [&stats] { return stats.failed.Value(); }});
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
  if (budgeted != nullptr) {
    const BudgetStats& stats = budgeted->stats();
    withheld("budget", stats.withheld);
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
                 .help = "0: requests pass; 1: one does, to see; 2: none does.",
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

}  // namespace

// In the order of the way back: who is asked stands above who asks.
struct Gateway::Parts {
  SteadyWallClock clock;
  std::unique_ptr<CurlClient> curl;
  std::shared_ptr<RedisClient> redis;    // null: there is none
  std::unique_ptr<SharedLedger> ledger;  // where there is Redis, and a limit
  // Each around the one before it; null where an option turned it off.
  std::unique_ptr<BudgetedClient> budgeted;
  std::unique_ptr<LimitedClient> limited;
  std::unique_ptr<BreakerClient> breaker;
  std::unique_ptr<RetryingClient> retrying;
  std::unique_ptr<Source> source;
  // Both in `source`, or null where there is none.
  SharedSource* shared = nullptr;
  CachingSource* cache = nullptr;
  std::unique_ptr<Server> server;
  Metrics metrics;
  std::unique_ptr<AdminListener> admin;  // null: there is none

  HttpClient& BuildClient(const Options& options);
  absl::Status StartAdmin(const Options& options);
};

// libcurl, and what repeats, limits and withholds requests around it. The outermost is returned.
HttpClient& Gateway::Parts::BuildClient(const Options& options) {
  HttpClient* client = curl.get();
  if (options.upstream_limit > 0) {
    if (redis != nullptr) ledger = std::make_unique<SharedLedger>(redis);
    budgeted = std::make_unique<BudgetedClient>(
        *curl, *client,
        BudgetPolicy{.limit = options.upstream_limit,
                     .limit_is_final = options.upstream_limit_is_explicit,
                     .reserve = options.upstream_reserve},
        ledger.get(), clock);
    client = budgeted.get();
  }
  limited = std::make_unique<LimitedClient>(*client, LimitOptions{}, clock);
  client = limited.get();
  if (options.upstream_failures > 0) {
    breaker = std::make_unique<BreakerClient>(
        *client, BreakerPolicy{.failures_to_open = static_cast<int>(options.upstream_failures)},
        clock);
    client = breaker.get();
  }
  if (options.upstream_retries > 0) {
    retrying = std::make_unique<RetryingClient>(
        *curl, *client,
        RetryPolicy{.most_attempts = 1 + static_cast<int>(options.upstream_retries)},
        [random = std::mt19937_64(std::random_device()())]() mutable {
          return std::uniform_real_distribution<double>(0, 1)(random);
        },
        clock);
    client = retrying.get();
  }
  return *client;
}

absl::Status Gateway::Parts::StartAdmin(const Options& options) {
  metrics.Add({.name = "pcap_gateway_build_info",
               .help = "1, with the version of this build.",
               .type = Metric::Type::kGauge,
               .labels = {{"version", Version()}},
               .value = [] { return 1; }});
  AddCallMetrics(server->stats(), metrics);
  if (cache != nullptr) AddCacheMetrics(*cache, options.cache_bytes, metrics);
  if (shared != nullptr) AddRedisMetrics(*shared, metrics);
  metrics.Add({.name = "pcap_gateway_upstream_calls_saved_total",
               .help = "Calls that were answered without a request of their own: hits, collapsed "
                       "ones, and Redis' hits.",
               .value = [this] { return CallsSaved(cache, shared); }});
  AddUpstreamMetrics(curl->stats(), metrics);
  AddProtectionMetrics(budgeted.get(), *limited, breaker.get(), retrying.get(), metrics);
  auto listener =
      AdminListener::Start(options.admin_listen, {.metrics = [this] { return metrics.Text(); },
                                                  .ready = [this] { return server->serving(); }});
  if (!listener.ok()) return listener.status();
  admin = *std::move(listener);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(const Options& options) {
  auto parts = std::make_unique<Parts>();

  absl::StatusOr<std::unique_ptr<CurlClient>> curl = CurlClient::Start({
      .ca_file = options.upstream_ca_file,
      .proxy = options.upstream_proxy,
      .user_agent = absl::StrCat("pcap-gateway/", Version()),
      .connect_timeout = options.upstream_connect_timeout,
      .first_byte_timeout = options.upstream_first_byte_timeout,
  });
  if (!curl.ok()) return curl.status();
  parts->curl = *std::move(curl);

  if (options.redis_url.has_value()) {
    absl::StatusOr<std::unique_ptr<RedisClient>> redis =
        RedisClient::Start({.url = *options.redis_url,
                            .command_timeout = options.redis_timeout,
                            .log = [](bool is_up, const std::string& line) {
                              spdlog::log(is_up ? spdlog::level::info : spdlog::level::warn, line);
                            }});
    if (!redis.ok()) return redis.status();
    parts->redis = *std::move(redis);
  }

  // The way of a call, from its end: Cloudflare, what replicas share around it, our own cache
  // around that.
  parts->source = std::make_unique<RestSource>(
      *parts->curl, parts->BuildClient(options),
      RestOptions{.base_url = options.upstream_url,
                  .timeout = options.upstream_timeout,
                  .reveal_destination_secrets = options.reveal_destination_secrets},
      parts->clock);
  if (parts->redis != nullptr) {
    auto shared = std::make_unique<SharedSource>(
        std::move(parts->source), parts->redis,
        SharedOptions{.freshness = options.freshness,
                      .variant = options.reveal_destination_secrets ? "revealed" : "redacted"},
        parts->clock);
    parts->shared = shared.get();
    parts->source = std::move(shared);
  }
  if (options.cache_bytes > 0) {
    auto cache = std::make_unique<CachingSource>(
        std::move(parts->source),
        CacheOptions{.most_bytes = options.cache_bytes, .freshness = options.freshness},
        parts->clock);
    parts->cache = cache.get();
    parts->source = std::move(cache);
  }

  absl::StatusOr<std::unique_ptr<Server>> server =
      Server::Start(*parts->source, {.listen = options.listen,
                                     .reflection = options.reflection,
                                     .service_credential = options.service_credential,
                                     .default_account_id = options.default_account_id});
  if (!server.ok()) {
    return absl::Status(server.status().code(),
                        absl::StrCat("--listen: ", server.status().message()));
  }
  parts->server = *std::move(server);

  if (!options.admin_listen.empty()) {
    absl::Status admin = parts->StartAdmin(options);
    // The default port may be another replica's; only a port that was asked for is worth no start
    // at all.
    if (!admin.ok() && options.admin_listen_is_explicit) {
      return absl::Status(admin.code(), absl::StrCat("--admin-listen: ", admin.message()));
    }
    if (!admin.ok()) {
      spdlog::warn("no metrics and no health over HTTP: {}", std::string(admin.message()));
    }
  }
  return std::unique_ptr<Gateway>(new Gateway(std::move(parts)));
}

Gateway::Gateway(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Gateway::~Gateway() {
  parts_->admin.reset();
  parts_->server.reset();
  // Whatever is still asked is answered now, while those it answers are there: first what waits for
  // Redis goes on to Cloudflare, and then nothing does.
  if (parts_->shared != nullptr) parts_->shared->Stop();
  parts_->curl->Stop();
}

const std::string& Gateway::address() const { return parts_->server->address(); }
std::string Gateway::admin_address() const {
  return parts_->admin == nullptr ? "" : parts_->admin->address();
}

void Gateway::Drain(absl::Duration lame_duck, absl::Duration timeout,
                    const std::function<bool(absl::Duration)>& wait) {
  parts_->server->Drain(lame_duck, timeout, wait);
}

const char* Version() { return PCAP_GATEWAY_VERSION; }

}  // namespace pcap_gateway
