#include "service/gateway.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "service/access/access_files.h"
#include "service/base/clock.h"
#include "service/cache/caching_source.h"
#include "service/call_log.h"
#include "service/credential_check.h"
#include "service/endpoints/get_pcap.h"
#include "service/endpoints/list_pcaps.h"
#include "service/gateway_metrics.h"
#include "service/gateway_status.h"
#include "service/log_redaction.h"
#include "service/loop/event_loop.h"
#include "service/memory_trim.h"
#include "service/operations/admin_listener.h"
#include "service/operations/caller_counts.h"
#include "service/operations/descriptor_limit.h"
#include "service/operations/heartbeat.h"
#include "service/operations/metrics.h"
#include "service/operations/recent_errors.h"
#include "service/operations/status_history.h"
#include "service/operations/status_page.h"
#include "service/option_values.h"
#include "service/readiness.h"
#include "service/rpc/channelz_server.h"
#include "service/rpc/reply.h"
#include "service/rpc/server.h"
#include "service/settings.h"
#include "service/shared/aside.h"
#include "service/shared/name_lookup.h"
#include "service/shared/redis_client.h"
#include "service/shared/redis_rehearsal.h"
#include "service/shared/shared_ledger.h"
#include "service/shared/shared_source.h"
#include "service/shared/shared_writes.h"
#include "service/tracing/tracing.h"
#include "service/upstream/breaker_client.h"
#include "service/upstream/budgeted_client.h"
#include "service/upstream/curl_client.h"
#include "service/upstream/limited_client.h"
#include "service/upstream/paced_client.h"
#include "service/upstream/rest_source.h"
#include "service/upstream/retrying_client.h"
#include "service/watch/watches.h"
#include "service/writes/write_source.h"

namespace pcap_gateway {
namespace {

// --max-connections, or what the descriptors allow, if that is less. Says so.
int64_t MostConnections(int64_t wanted, Log& log) {
  const int64_t descriptors = RaiseDescriptorLimit();
  const int64_t possible = ConnectionsWithin(descriptors);
  if (wanted > 0 && wanted <= possible) return wanted;
  if (wanted > 0) {
    log.Write(LogLevel::kWarn,
              absl::StrCat("--max-connections: ", descriptors, " file descriptors allow ", possible,
                           " connections, not ", wanted));
  }
  return possible;
}

// Over HTTP/1.1 each request in flight has a connection, and libcurl's own queue for those knows no
// callers: what waits is to wait in ours.
LimitOptions LimitsFor(absl::string_view upstream_url) {
  LimitOptions limits;
  if (absl::StartsWithIgnoreCase(upstream_url, "http:")) {
    limits.most_in_flight = CurlOptions().most_connections;
  }
  return limits;
}

// Whether the name of Redis has an address. A start does not wait for that: the gateway does
// without Redis until it is there.
absl::Status CheckName(const std::string& host) {
  if (host.empty()) return absl::OkStatus();  // a Unix socket
  constexpr absl::Duration kPatience = absl::Seconds(10);
  struct Found {
    absl::Notification over;
    bool any = false;
  };
  const auto found = std::make_shared<Found>();
  const auto lookup =
      Aside<std::vector<std::string>>::Start([host] { return AddressesOf(host); },
                                             [found](const std::vector<std::string>& addresses) {
                                               found->any = !addresses.empty();
                                               found->over.Notify();
                                             });
  const bool over = lookup != nullptr && found->over.WaitForNotificationWithTimeout(kPatience);
  if (lookup != nullptr) lookup->Abandon();
  if (over && found->any) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("--redis-url: the name ", host, " has no address",
                                          over ? "" : " within ten seconds"));
}

// What else than the question makes answers differ.
std::string Variant(const Options& options) {
  return options.reveal_destination_secrets ? "revealed" : "redacted";
}

}  // namespace

// In the order of the way back: who is asked stands above who asks.
struct Gateway::Parts {
  Parts() = default;
  // Ends all that is under way; whatever of it a start has got to.
  ~Parts();

  SteadyWallClock clock;
  std::unique_ptr<AccessFiles> access;
  std::unique_ptr<Tracing> tracing;  // null: there are no spans
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<CurlClient> curl;
  std::shared_ptr<RedisClient> redis;           // null: there is none
  std::unique_ptr<SharedLedger> ledger;         // where there is Redis, and a limit
  std::unique_ptr<SharedWrites> shared_writes;  // where there is Redis, and writes are allowed
  // Each around the one before it; null where an option turned it off.
  std::unique_ptr<HttpClient> traced;
  std::unique_ptr<PacedClient> paced;
  std::unique_ptr<BudgetedClient> budgeted;
  std::unique_ptr<LimitedClient> limited;
  std::unique_ptr<BreakerClient> breaker;
  std::unique_ptr<RetryingClient> retrying;
  std::unique_ptr<Source> source;
  // All in `source`, or null where there is none.
  SharedSource* shared = nullptr;
  CachingSource* cache = nullptr;
  std::unique_ptr<Watches> watches;
  WriteSource* writes = nullptr;
  // The server tells them of calls until it is gone.
  std::unique_ptr<CallLog> call_log;
  std::unique_ptr<RecentErrors> errors;
  std::unique_ptr<CallerCounts> callers;
  std::unique_ptr<Server> server;
  std::unique_ptr<Readiness> readiness;      // null: nothing is waited for
  std::unique_ptr<ChannelzServer> channelz;  // null: there is none
  Metrics metrics;
  std::optional<MeteredParts> metered;
  std::optional<StatusHistory> history;
  std::unique_ptr<AdminListener> admin;  // null: there is none
  std::unique_ptr<MemoryTrim> memory;    // once all is started
  std::unique_ptr<Heartbeat> heartbeat;

  // In the order in which a start takes them.
  absl::Status LoadAccess(const Options& options, Log& log);
  absl::Status StartTracing(const Options& options, Log& log);
  absl::Status StartLoop(const Options& options);
  absl::Status StartClients(const Options& options, Log& log);
  HttpClient& BuildClient(const Options& options);
  void BuildSource(const Options& options, Log& log);
  absl::Status StartServers(const Options& options, Log& log);
  absl::Status WatchToken(const std::string& path);
  void StartReadiness(const Options& options, Log& log);
  std::string Unready() const;
  void StartHeartbeat();
  absl::Status StartAdmin(const Options& options);
};

absl::Status Gateway::Parts::LoadAccess(const Options& options, Log& log) {
  auto files = AccessFiles::Load({.tls_cert_file = options.tls_cert_file,
                                  .tls_key_file = options.tls_key_file,
                                  .tls_client_ca_file = options.tls_client_ca_file,
                                  .policy_file = options.policy_file,
                                  .interval = options.reload_interval},
                                 clock, [&log](bool is_good, const std::string& line) {
                                   log.Write(is_good ? LogLevel::kInfo : LogLevel::kWarn, line);
                                 });
  if (!files.ok()) return files.status();
  access = *std::move(files);
  return absl::OkStatus();
}

absl::Status Gateway::Parts::WatchToken(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  return access->Add("api-token-file", path, kMostTokenFileBytes,
                     [this](const std::vector<std::string>& contents) {
                       auto credential =
                           Credential::FromToken(Credential::Owner::kGateway, contents[0]);
                       if (!credential.ok()) return credential.status();
                       if (readiness != nullptr) readiness->SetCredential(*credential);
                       watches->SetServiceCredential(*credential);
                       server->SetServiceCredential(*std::move(credential));
                       return absl::OkStatus();
                     });
}

void Gateway::Parts::StartReadiness(const Options& options, Log& log) {
  if (options.ready != Options::Ready::kCredential) return;
  readiness = std::make_unique<Readiness>(
      *loop, *curl,
      ReadinessOptions{.question = CredentialQuestionOf(options),
                       .ready = [this] { server->SetReady(); },
                       .log =
                           [&log](bool is_good, const std::string& line) {
                             log.Write(is_good ? LogLevel::kInfo : LogLevel::kWarn, line);
                           }});
}

// Why no calls are to come; empty: they may.
std::string Gateway::Parts::Unready() const {
  if (!server->serving()) return "draining";
  const std::string waits_for = readiness == nullptr ? "" : readiness->waits_for();
  return waits_for.empty() ? "" : absl::StrCat("not ready: ", waits_for);
}

// libcurl, and what repeats, limits and withholds requests around it. The outermost is returned.
HttpClient& Gateway::Parts::BuildClient(const Options& options) {
  HttpClient* client = curl.get();
  if (tracing != nullptr) {
    traced = tracing->Around(*client);
    client = traced.get();
  }
  if (options.upstream_address_limit > 0) {
    paced = std::make_unique<PacedClient>(*loop, *client, options.upstream_address_limit, clock);
    client = paced.get();
  }
  if (options.upstream_limit > 0) {
    if (redis != nullptr) ledger = std::make_unique<SharedLedger>(redis, clock);
    budgeted = std::make_unique<BudgetedClient>(
        *client,
        BudgetPolicy{.limit = options.upstream_limit,
                     .limit_is_final = options.upstream_limit_is_explicit,
                     .reserve = options.upstream_reserve,
                     .hold = options.caller_hold},
        ledger.get(), clock);
    client = budgeted.get();
  }
  limited = std::make_unique<LimitedClient>(*client, LimitsFor(options.upstream_url), clock);
  client = limited.get();
  if (options.upstream_failures > 0) {
    breaker = std::make_unique<BreakerClient>(
        *client, BreakerPolicy{.failures_to_open = static_cast<int>(options.upstream_failures)},
        clock);
    client = breaker.get();
  }
  if (options.upstream_retries > 0) {
    retrying = std::make_unique<RetryingClient>(
        *loop, *client,
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
  AddLimitMetrics(*server, metrics);
  metered.emplace(MeteredParts{.calls = &server->stats(),
                               .streams = &server->stream_stats(),
                               .callers = callers.get(),
                               .cache = cache,
                               .most_cache_bytes = options.cache_bytes,
                               .shared = shared,
                               .watches = watches.get(),
                               .writes = writes,
                               .loop = loop.get(),
                               .curl = curl.get(),
                               .budgeted = budgeted.get(),
                               .budget_limit = options.upstream_limit,
                               .callers_credential = options.service_credential == nullptr,
                               .limited = limited.get(),
                               .breaker = breaker.get(),
                               .retrying = retrying.get(),
                               .access = access.get(),
                               .tracing = tracing.get()});
  AddGatewayMetrics(*metered, Version(), metrics);
  history.emplace();
  history->Watch([this] { return FiguresOf(*metered, clock); });
  const StatusFacts facts{.version = Version(),
                          .upstream_url = options.upstream_url,
                          .tls = !options.tls_cert_file.empty(),
                          .started = clock.Now()};
  const auto report = [this, facts] {
    StatusReport report = ReportOf(facts, *metered, *server, clock);
    if (readiness != nullptr) report.waits_for = readiness->waits_for();
    report.errors = errors->All();
    report.history = history->All();
    return report;
  };
  auto listener = AdminListener::Start(options.admin_listen,
                                       {.metrics = [this] { return metrics.Text(); },
                                        .unready = [this] { return Unready(); },
                                        .status_html = [report] { return StatusHtml(report()); },
                                        .status_json = [report] { return StatusJson(report()); },
                                        .config_json = JsonOf(options.settings, Version()),
                                        .status_css = StatusStyle()});
  if (!listener.ok()) return listener.status();
  admin = *std::move(listener);
  return absl::OkStatus();
}

// Of the threads that calls go through: each queue's, and the loop's.
void Gateway::Parts::StartHeartbeat() {
  std::vector<Heartbeat::Ask> everybody;
  everybody.emplace_back([this](std::function<void()> answer) { loop->Post(std::move(answer)); });
  for (size_t queue = 0; queue < server->queues(); ++queue) {
    everybody.emplace_back([this, queue](std::function<void()> answer) {
      server->AskForSign(queue, std::move(answer));
    });
  }
  heartbeat = std::make_unique<Heartbeat>(std::move(everybody));
}

absl::Status Gateway::Parts::StartTracing(const Options& options, Log& log) {
  if (options.traces_url.empty()) return absl::OkStatus();
  auto started = Tracing::Start({.url = options.traces_url,
                                 .sampling = options.sampling,
                                 .version = Version(),
                                 .redact = LogRedaction(options.service_credential),
                                 .cache_status = CacheStatusText,
                                 .log = [&log](bool is_up, const std::string& line) {
                                   log.Write(is_up ? LogLevel::kInfo : LogLevel::kWarn, line);
                                 }});
  if (!started.ok()) return started.status();
  tracing = *std::move(started);
  return absl::OkStatus();
}

absl::Status Gateway::Parts::StartLoop(const Options& options) {
  absl::StatusOr<std::unique_ptr<EventLoop>> started_loop = EventLoop::Start();
  if (!started_loop.ok()) return started_loop.status();
  loop = *std::move(started_loop);
  absl::StatusOr<std::unique_ptr<CurlClient>> started_curl =
      CurlClient::Start(*loop, {
                                   .ca_file = options.upstream_ca_file,
                                   .proxy = options.upstream_proxy,
                                   .user_agent = absl::StrCat("pcap-gateway/", Version()),
                                   .connect_timeout = options.upstream_connect_timeout,
                                   .first_byte_timeout = options.upstream_first_byte_timeout,
                               });
  if (!started_curl.ok()) return started_curl.status();
  curl = *std::move(started_curl);
  return absl::OkStatus();
}

absl::Status Gateway::Parts::StartClients(const Options& options, Log& log) {
  absl::Status status = StartLoop(options);
  if (!status.ok()) return status;
  if (!options.redis_url.has_value()) return absl::OkStatus();
  redis = RedisClient::Start(*loop, {.url = *options.redis_url,
                                     .tls_files = options.redis_tls_files,
                                     .command_timeout = options.redis_timeout,
                                     .rehearsal = RedisRehearsal(),
                                     .log = [&log](bool is_up, const std::string& line) {
                                       log.Write(is_up ? LogLevel::kInfo : LogLevel::kWarn, line);
                                     }});
  return absl::OkStatus();
}

// The way of a call, from its end: Cloudflare, what replicas share around it, our own cache around
// that, and what sees writes to their end.
void Gateway::Parts::BuildSource(const Options& options, Log& log) {
  source = std::make_unique<RestSource>(
      *loop, BuildClient(options),
      RestOptions{.base_url = options.upstream_url,
                  .timeout = options.upstream_timeout,
                  .reveal_destination_secrets = options.reveal_destination_secrets,
                  .most_sunk_bytes = options.most_download_bytes},
      clock);
  if (redis != nullptr) {
    auto sharing = std::make_unique<SharedSource>(
        std::move(source), redis,
        SharedOptions{.freshness = options.freshness, .variant = Variant(options)}, clock);
    shared = sharing.get();
    source = std::move(sharing);
  }
  const bool others_write = options.allow_write && shared != nullptr;
  if (options.cache_bytes > 0) {
    auto caching = std::make_unique<CachingSource>(std::move(source),
                                                   CacheOptions{.most_bytes = options.cache_bytes,
                                                                .freshness = options.freshness,
                                                                .others_write = others_write},
                                                   clock);
    cache = caching.get();
    source = std::move(caching);
  }
  if (options.allow_write) {
    if (redis != nullptr) {
      shared_writes = std::make_unique<SharedWrites>(redis, Variant(options), clock);
    }
    auto writing = std::make_unique<WriteSource>(
        std::move(source), *loop, clock,
        WriteOptions{.memory = shared_writes.get(),
                     .log = [&log](const std::string& line) { log.Write(LogLevel::kWarn, line); },
                     .written = [this](const Query& write) { watches->Written(write); }});
    writes = writing.get();
    source = std::move(writing);
  }
  watches = std::make_unique<Watches>(*source,
                                      WatchOptions{.list = &kListPcaps,
                                                   .get = &kGetPcap,
                                                   .freshness = options.freshness,
                                                   .others_write = others_write},
                                      *loop, clock);
}

absl::Status Gateway::Parts::StartServers(const Options& options, Log& log) {
  errors = std::make_unique<RecentErrors>(LogRedaction(options.service_credential), clock);
  call_log = std::make_unique<CallLog>(log, options.log_hits);
  callers = std::make_unique<CallerCounts>(!access->authorities_path().empty());
  const int64_t most_connections = MostConnections(options.max_connections, log);
  absl::StatusOr<std::unique_ptr<Server>> started = Server::Start(
      *source,
      {.listen = options.listen,
       .reflection = options.reflection,
       .ready = options.ready != Options::Ready::kCredential,
       .tls = {.identity = access->identity_path(), .authorities = access->authorities_path()},
       .policy = &access->policy(),
       .service_credential = options.service_credential,
       .default_account_id = options.default_account_id,
       .most_connections = most_connections,
       .most_calls = options.max_calls,
       .watches = watches.get(),
       .allowed = {.write = options.allow_write, .download = options.allow_download},
       .most_downloads = options.max_downloads,
       .streams = {.most = options.max_streams,
                   .most_of_connection = options.max_streams_per_connection,
                   .longest_wait = options.first_message_timeout,
                   .longest_read = options.stream_idle_timeout},
       .log = [&log](const std::string& line) { log.Write(LogLevel::kWarn, line); },
       .channelz = !options.channelz_listen.empty(),
       .clock = &clock,
       .observers = {call_log.get(), errors.get(), callers.get()},
       .tracer = tracing.get()});
  if (!started.ok()) {
    return absl::Status(started.status().code(),
                        absl::StrCat("--listen: ", started.status().message()));
  }
  server = *std::move(started);
  if (options.channelz_listen.empty()) return absl::OkStatus();
  auto started_channelz = ChannelzServer::Start(options.channelz_listen);
  if (!started_channelz.ok()) {
    return absl::Status(started_channelz.status().code(),
                        absl::StrCat("--channelz-listen: ", started_channelz.status().message()));
  }
  channelz = *std::move(started_channelz);
  return absl::OkStatus();
}

absl::Status Gateway::Check(const Options& options, Log& log) {
  Parts parts;
  absl::Status status = parts.LoadAccess(options, log);
  if (status.ok() && options.redis_url.has_value()) status = CheckName(options.redis_url->host);
  if (!status.ok() || options.check != Options::Check::kOnline) return status;
  status = parts.StartLoop(options);
  return status.ok() ? CheckCredential(*parts.loop, *parts.curl, options) : status;
}

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(const Options& options, Log& log) {
  auto parts = std::make_unique<Parts>();
  absl::Status status = parts->LoadAccess(options, log);
  if (!status.ok()) return status;
  status = parts->StartTracing(options, log);
  if (!status.ok()) return status;
  status = parts->StartClients(options, log);
  if (!status.ok()) return status;
  parts->BuildSource(options, log);
  status = parts->StartServers(options, log);
  if (!status.ok()) return status;
  parts->StartReadiness(options, log);
  status = parts->WatchToken(options.api_token_file);
  if (!status.ok()) return status;
  parts->access->Watch();
  parts->StartHeartbeat();

  if (!options.admin_listen.empty()) {
    status = parts->StartAdmin(options);
    // The default port may be another replica's; only a port that was asked for is worth no start
    // at all.
    if (!status.ok() && options.admin_listen_is_explicit) {
      return absl::Status(status.code(), absl::StrCat("--admin-listen: ", status.message()));
    }
    if (!status.ok()) {
      log.Write(LogLevel::kWarn, "no metrics and no health over HTTP",
                {{"reason", status.message()}});
    }
  }
  parts->memory = std::make_unique<MemoryTrim>(*parts->loop);
  return std::unique_ptr<Gateway>(new Gateway(std::move(parts)));
}

Gateway::Gateway(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Gateway::~Gateway() = default;

Gateway::Parts::~Parts() {
  memory.reset();
  admin.reset();
  history.reset();
  channelz.reset();
  // Calls that still come ask its policy.
  if (access != nullptr) access->Stop();
  readiness.reset();
  server.reset();
  // Whatever is still asked is answered now, while those it answers are there: first what waits for
  // Redis goes on to Cloudflare, then nothing does, and then nobody waits for a later time.
  if (shared != nullptr) shared->Stop();
  if (curl != nullptr) curl->Stop();
  if (loop != nullptr) loop->Stop();
}

const std::string& Gateway::address() const { return parts_->server->address(); }
std::string Gateway::admin_address() const {
  return parts_->admin == nullptr ? "" : parts_->admin->address();
}

std::string Gateway::channelz_address() const {
  return parts_->channelz == nullptr ? "" : parts_->channelz->address();
}

void Gateway::Reload() { parts_->access->LookNow(); }

bool Gateway::Beat() { return parts_->heartbeat->Beat(); }

void Gateway::Drain(absl::Duration lame_duck, absl::Duration timeout,
                    const std::function<bool(absl::Duration)>& wait) {
  parts_->server->Drain(lame_duck, timeout, wait);
}

const char* Version() { return PCAP_GATEWAY_VERSION; }

}  // namespace pcap_gateway
