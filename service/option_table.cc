#include "service/option_table.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "service/option_values.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostCaFileBytes = 16 << 20;
constexpr int64_t kMostRequests = 1'000'000'000;
constexpr int64_t kMostAtOnce = 1'000'000'000;
constexpr int64_t kMostRetries = 10;
constexpr absl::Duration kLongestLifetime = absl::Hours(24 * 30);
constexpr absl::Duration kLeastTime = absl::Milliseconds(1);

// How texts are read -----------------------------------------------------------------------------

template <typename T, typename Place>
absl::Status Put(absl::StatusOr<T> value, Place& place) {
  if (!value.ok()) return value.status();
  place = *std::move(value);
  return absl::OkStatus();
}

template <auto place>
absl::Status Text(const std::string& text, OptionDraft& draft) {
  draft.*place = text;
  return absl::OkStatus();
}

// As CLI11 has it, whichever word an operator wrote.
template <auto place>
absl::Status Switch(const std::string& text, OptionDraft& draft) {
  draft.*place = text == "true";
  return absl::OkStatus();
}

template <auto place, int64_t most>
absl::Status Count(const std::string& text, OptionDraft& draft) {
  return Put(CountFrom(text, most), draft.*place);
}

template <auto place>
absl::Status RequestsIfAny(const std::string& text, OptionDraft& draft) {
  if (text.empty()) return absl::OkStatus();
  return Put(CountFrom(text, kMostRequests), draft.*place);
}

template <auto place>
absl::Status Time(const std::string& text, OptionDraft& draft) {
  return Put(DurationFrom(text, kLeastTime), draft.*place);
}

template <auto place>
absl::Status TimeOrNone(const std::string& text, OptionDraft& draft) {
  return Put(DurationFrom(text, absl::ZeroDuration()), draft.*place);
}

template <auto place>
absl::Status Lifetime(const std::string& text, OptionDraft& draft) {
  return Put(DurationFrom(text, absl::ZeroDuration(), kLongestLifetime), draft.freshness.*place);
}

template <auto place>
absl::Status Address(const std::string& text, OptionDraft& draft) {
  draft.*place = text;
  return CheckHostAndPort(text);
}

template <auto place>
absl::Status AddressIfAny(const std::string& text, OptionDraft& draft) {
  return text.empty() ? absl::OkStatus() : Address<place>(text, draft);
}

template <auto place>
absl::Status CollectorUrlIfAny(const std::string& text, OptionDraft& draft) {
  return text.empty() ? absl::OkStatus() : Put(CollectorUrlFrom(text), draft.*place);
}

// libcurl reads the file with each new connection; that it is of no use should not wait till then.
absl::Status CaFile(const std::string& text, OptionDraft& draft) {
  draft.upstream_ca_file = text;
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> certificates = ContentOf(text, kMostCaFileBytes);
  if (!certificates.ok()) return certificates.status();
  if (absl::StrContains(*certificates, "CERTIFICATE-----")) return absl::OkStatus();
  return absl::InvalidArgumentError("holds no certificate in PEM form");
}

absl::Status ProxyIfAny(const std::string& text, OptionDraft& draft) {
  draft.upstream_proxy = text;
  return text.empty() ? absl::OkStatus() : CheckProxyUrl(text);
}

absl::Status WhoseCredential(const std::string& text, OptionDraft& draft) {
  draft.callers_bring_credentials = text == "caller";
  if (text == "caller" || text == "service") return absl::OkStatus();
  return absl::InvalidArgumentError("must be `service` or `caller`");
}

absl::Status WhenReady(const std::string& text, OptionDraft& draft) {
  draft.ready = text == "credential" ? Options::Ready::kCredential : Options::Ready::kListening;
  if (text == "credential" || text == "listening") return absl::OkStatus();
  return absl::InvalidArgumentError("must be `listening` or `credential`");
}

absl::Status AccountIfAny(const std::string& text, OptionDraft& draft) {
  if (text.empty()) return absl::OkStatus();
  draft.default_account_id = Id::Parse(text);
  if (draft.default_account_id.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError("must be 32 lower-case hexadecimal digits");
}

absl::Status CacheBytes(const std::string& text, OptionDraft& draft) {
  return Put(BytesFrom(text), draft.cache_bytes);
}

absl::Status RedisIfAny(const std::string& text, OptionDraft& draft) {
  return text.empty() ? absl::OkStatus() : Put(RedisUrlFrom(text), draft.redis_url);
}

template <auto place>
absl::Status RedisFile(const std::string& text, OptionDraft& draft) {
  draft.redis_tls_files.*place = text;
  return absl::OkStatus();
}

absl::Status RedisTime(const std::string& text, OptionDraft& draft) {
  return Put(DurationFrom(text, kLeastTime, absl::Seconds(10)), draft.redis_timeout);
}

absl::Status ChannelzAddress(const std::string& text, OptionDraft& draft) {
  absl::Status status = AddressIfAny<&Options::channelz_listen>(text, draft);
  if (!status.ok() || text.empty() || ListensOnLoopback(text)) return status;
  return absl::InvalidArgumentError("tells of callers, so it must be on loopback");
}

// `write,download`: words of what is allowed, each once or more, in any order.
absl::Status Allowed(const std::string& text, OptionDraft& draft) {
  if (text.empty()) return absl::OkStatus();
  for (const absl::string_view word : absl::StrSplit(text, ',')) {
    if (word == "write") {
      draft.allow_write = true;
    } else if (word == "download") {
      draft.allow_download = true;
    } else {
      return absl::InvalidArgumentError("must be `write`, `download` or `write,download`");
    }
  }
  return absl::OkStatus();
}

absl::Status DownloadBytes(const std::string& text, OptionDraft& draft) {
  absl::Status status = Put(BytesFrom(text), draft.most_download_bytes);
  if (!status.ok() || draft.most_download_bytes > 0) return status;
  return absl::InvalidArgumentError("must be above 0");
}

absl::Status Format(const std::string& text, OptionDraft& draft) {
  if (text == "json") draft.log_format = LogFormat::kJson;
  if (text == "text") draft.log_format = LogFormat::kText;
  if (text == "auto" || draft.log_format.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError("must be `auto`, `json` or `text`");
}

absl::Status Level(const std::string& text, OptionDraft& draft) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (text != NameOf(level)) continue;
    draft.log_level = level;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("must be `debug`, `info`, `warn` or `error`");
}

absl::Status HitsShare(const std::string& text, OptionDraft& draft) {
  return Put(FractionFrom(text), draft.log_hits);
}

// The table --------------------------------------------------------------------------------------

constexpr OptionRow kListening[] = {
    {.name = "listen",
     .preset = "127.0.0.1:50051",
     .what = "HOST:PORT of the gRPC service; port 0 takes a free one, told on stdout",
     .read = Address<&Options::listen>},
    {.name = "tls-cert-file",
     .what = "PEM file of the certificate that callers see, with its chain",
     .read = Text<&Options::tls_cert_file>},
    {.name = "tls-key-file",
     .what = "PEM file of its private key",
     .read = Text<&Options::tls_key_file>},
    {.name = "tls-client-ca-file",
     .what = "PEM file of the authorities whose certificates callers must show",
     .read = Text<&Options::tls_client_ca_file>},
    {.name = "insecure",
     .is_switch = true,
     .what = "Listen without TLS where other machines can connect",
     .read = Switch<&OptionDraft::insecure>},
    {.name = "policy-file",
     .what = "JSON file that says who may call what, and for which accounts",
     .more = "See [access](access.md).",
     .read = Text<&Options::policy_file>},
    {.name = "reload-interval",
     .preset = "10s",
     .what = "How often the files of TLS, policy and token are looked at",
     .more = "SIGHUP does it at once.",
     .read = Time<&Options::reload_interval>},
};

constexpr OptionRow kCloudflare[] = {
    {.name = "upstream-url",
     .preset = "https://api.cloudflare.com/client/v4",
     .variable = "CLOUDFLARE_BASE_URL",
     .what = "Base URL of Cloudflare's API",
     // What it may be depends on --allow-http-upstream.
     .read = Text<&Options::upstream_url>},
    {.name = "upstream-ca-file",
     .unset = "the system's",
     .variable = "SSL_CERT_FILE",
     .what = "PEM file of the certificates to trust",
     .read = CaFile},
    {.name = "upstream-proxy",
     .what = "URL of a proxy; the environment's proxies are not used",
     .read = ProxyIfAny},
    {.name = "upstream-timeout",
     .preset = "30s",
     .what = "The longest that one request to Cloudflare may take, repeated or not",
     .read = Time<&Options::upstream_timeout>},
    {.name = "upstream-connect-timeout",
     .preset = "5s",
     .what = "Of that, for a connection: address, TCP and TLS",
     .read = Time<&Options::upstream_connect_timeout>},
    {.name = "upstream-first-byte-timeout",
     .preset = "10s",
     .what = "Of that, until an answer begins; then 1 KiB has to come in each 5s",
     .read = Time<&Options::upstream_first_byte_timeout>},
    {.name = "upstream-limit",
     .preset = "1200",
     .what = "Requests in any five minutes for each credential; 0: any number",
     .more = "When it is set, Cloudflare's own word lowers it but does not raise it.",
     .read = Count<&Options::upstream_limit, kMostRequests>},
    {.name = "upstream-reserve",
     .unset = "a fifth of --upstream-limit",
     .what = "Of --upstream-limit, so many are for calls alone, not for refreshes",
     .read = RequestsIfAny<&OptionDraft::reserve>},
    {.name = "caller-hold",
     .unset = "a twentieth of --upstream-limit",
     .what = "Of --upstream-limit, so many are for callers who have had less than half of their "
             "fair part",
     .read = RequestsIfAny<&Options::caller_hold>},
    {.name = "upstream-address-limit",
     .unset = "200, and any number with --upstream-limit=0",
     .what = "Requests in any second for all credentials together; 0: any number",
     .more = "What comes too soon waits its turn.",
     .read = RequestsIfAny<&OptionDraft::address_limit>},
    {.name = "upstream-retries",
     .preset = "2",
     .what = "How often a request that failed for the moment is repeated, 10 at most",
     .read = Count<&Options::upstream_retries, kMostRetries>},
    {.name = "upstream-failures",
     .preset = "20",
     .what = "Failures in a row after which Cloudflare is left alone for a moment; 0: never",
     .read = Count<&Options::upstream_failures, kMostRequests>},
    {.name = "allow-http-upstream",
     .is_switch = true,
     .what = "Accept a plain http upstream that is not on this machine",
     .read = Switch<&OptionDraft::allow_http_upstream>},
    {.name = "credential",
     .preset = "service",
     .what = "`service`: one credential for all calls; `caller`: each call brings its own",
     .read = WhoseCredential},
    {.name = "api-token-file",
     .unset = "CLOUDFLARE_API_TOKEN, else CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY",
     .what = "File with the API token",
     .read = Text<&Options::api_token_file>},
    {.name = "ready",
     .preset = "listening",
     .what = "When health says that calls may come: `listening`: at once; `credential`: once "
             "Cloudflare has accepted the gateway's credential",
     .more = "Health is `/readyz` and `grpc.health.v1`. While Cloudflare rejects the credential, "
             "the gateway asks again, each minute in the end, and at once after a new token. Where "
             "Cloudflare says nothing for 10 s, as in an outage, calls may come: what Redis keeps "
             "can be answered. Once said, it holds. By default Cloudflare is sent nothing that no "
             "caller asked for.",
     .read = WhenReady},
    {.name = "default-account-id",
     .variable = "CLOUDFLARE_ACCOUNT_ID",
     .what = "Account of requests that name none",
     .read = AccountIfAny},
};

constexpr OptionRow kKeeping[] = {
    {.name = "cache-bytes",
     .preset = "64MiB",
     .what = "Memory of the cache; 0 turns it off, sharing of requests too",
     .read = CacheBytes},
    {.name = "final-lifetime",
     .preset = "24h",
     .what = "How long a capture that has come to its end is fresh",
     .more = "This and the next five: 0 to `720h`.",
     .read = Lifetime<&FreshnessPolicy::final_lifetime>},
    {.name = "moving-lifetime",
     .preset = "2s",
     .what = "How long a young capture that may still change is fresh",
     .read = Lifetime<&FreshnessPolicy::moving_lifetime>},
    {.name = "longest-moving-lifetime",
     .preset = "10s",
     .what = "What that grows to, by a tenth of the capture's age; and how long a list is fresh in "
             "which nothing moves",
     .read = Lifetime<&FreshnessPolicy::longest_moving_lifetime>},
    {.name = "not-found-lifetime",
     .preset = "5s",
     .what = "How long the answer is kept that there is no such capture",
     .read = Lifetime<&FreshnessPolicy::not_found_lifetime>},
    {.name = "stale-while-revalidate",
     .preset = "5s",
     .what = "How long after its lifetime an answer is still given while it is refreshed; 0: never",
     .read = Lifetime<&FreshnessPolicy::stale_while_revalidate>},
    {.name = "stale-if-error",
     .preset = "1h",
     .what = "How long after its lifetime an answer is still given when Cloudflare fails; 0: never",
     .read = Lifetime<&FreshnessPolicy::stale_if_error>},
};

constexpr OptionRow kRedis[] = {
    // No default is shown for what may hold a password.
    {.name = "redis-url",
     .what = "Redis that replicas share: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, the "
             "same with `rediss://` for TLS, or `unix:///PATH[?db=DATABASE]`",
     .more = "Debian's hiredis has TLS from 13 on; `--version` says whether it is there.",
     .read = RedisIfAny},
    {.name = "redis-ca-file",
     .unset = "the system's",
     .what = "PEM file of the certificates to trust for rediss://",
     .more = "It is read with each connection, as the next two are.",
     .read = RedisFile<&RedisTlsFiles::ca_file>},
    {.name = "redis-cert-file",
     .what = "PEM file of the certificate to show to Redis, with its chain",
     .read = RedisFile<&RedisTlsFiles::cert_file>},
    {.name = "redis-key-file",
     .what = "PEM file of its private key",
     .read = RedisFile<&RedisTlsFiles::key_file>},
    {.name = "redis-timeout",
     .preset = "5ms",
     .what = "The longest that a call waits for Redis",
     .read = RedisTime},
};

constexpr OptionRow kOperating[] = {
    {.name = "channelz-listen",
     .what =
         "HOST:PORT of grpc.channelz.v1, on loopback: who is connected, and what their calls do",
     .read = ChannelzAddress},
    {.name = "admin-listen",
     .preset = "127.0.0.1:9464",
     .what = "HOST:PORT of the status page, /metrics, /healthz and /readyz; empty: none",
     .read = AddressIfAny<&Options::admin_listen>},
    {.name = "lame-duck",
     .preset = "5s",
     .what = "How long to go on serving after SIGTERM, while health says NOT_SERVING, for "
             "balancers to turn away",
     .read = TimeOrNone<&Options::lame_duck>},
    {.name = "drain-timeout",
     .preset = "30s",
     .what = "How long calls in flight may take to finish after that; a second signal ends both",
     .read = TimeOrNone<&Options::drain_timeout>},
};

constexpr OptionRow kBounds[] = {
    {.name = "max-connections",
     .preset = "10000",
     .what = "Connections at once, further ones are refused; 0: what descriptors allow",
     .more = "Descriptors (`ulimit -Hn` less 512) bound any number.",
     .read = Count<&Options::max_connections, kMostAtOnce>},
    {.name = "max-calls",
     .preset = "10000",
     .what = "Calls at once that wait for an answer, further ones are refused; 0: any number",
     .more = "They get RESOURCE_EXHAUSTED, `TOO_MANY_CALLS`.",
     .read = Count<&Options::max_calls, kMostAtOnce>},
    {.name = "max-streams",
     .preset = "10000",
     .what = "Streams at once that wait for their caller, further ones are refused; 0: any number",
     .more =
         "These are health watches, reflection, downloads, and calls whose request has not come "
         "or whose answer is not taken, divided among the threads. Half of the places are for "
         "watches, reflection and downloads; further ones get RESOURCE_EXHAUSTED, "
         "`TOO_MANY_STREAMS`. In the other half one of those gives way whose callers have been "
         "waited for longest, of the connection that has most of them, so that calls and health "
         "checks always find a place.",
     .read = Count<&Options::max_streams, kMostAtOnce>},
    {.name = "max-streams-per-connection",
     .preset = "100",
     .what = "Streams at once of one connection; 0: any number",
     .more = "It is HTTP/2's SETTINGS_MAX_CONCURRENT_STREAMS.",
     .read = Count<&Options::max_streams_per_connection, kMostAtOnce>},
    {.name = "first-message-timeout",
     .preset = "10s",
     .what = "How long a stream's first message may take, and its caller to take what it is sent",
     .read = Time<&Options::first_message_timeout>},
    {.name = "stream-idle-timeout",
     .preset = "60s",
     .what = "How long a caller may take to read one message of a download or a watch",
     .more = "Then it ends with RESOURCE_EXHAUSTED, `READER_TOO_SLOW`.",
     .read = Time<&Options::stream_idle_timeout>},
};

constexpr OptionRow kAllowed[] = {
    {.name = "allow",
     .unset = "neither",
     .what = "What callers may do beside reading: `write`, `download` or `write,download`",
     .more = "The rest gets PERMISSION_DENIED, `METHOD_DISABLED`.",
     .read = Allowed},
    {.name = "max-downloads",
     .preset = "64",
     .what = "Downloads at once, further ones are refused; 0: any number",
     .more = "Each has a connection to Cloudflare of its own. Further ones get RESOURCE_EXHAUSTED, "
             "`TOO_MANY_STREAMS`.",
     .read = Count<&Options::max_downloads, kMostAtOnce>},
    {.name = "most-download-bytes",
     .preset = "1GiB",
     .what = "A file that is larger is not passed on; a number, or with KiB, MiB, GiB",
     .more = "The call ends with INTERNAL, `UPSTREAM_RESPONSE_TOO_LARGE`.",
     .read = DownloadBytes},
    {.name = "reveal-destination-secrets",
     .is_switch = true,
     .what = "Answer with destination_conf as Cloudflare sent it",
     .read = Switch<&Options::reveal_destination_secrets>},
    {.name = "reflection",
     .is_switch = true,
     .preset = "true",
     .what = "Serve gRPC reflection (v1 and v1alpha)",
     .read = Switch<&Options::reflection>},
};

constexpr OptionRow kSpans[] = {
    {.name = "otlp-endpoint",
     .variable = "OTEL_EXPORTER_OTLP_ENDPOINT",
     .what = "URL of an OpenTelemetry collector that gets spans, at /v1/traces below it",
     .more = "See [spans](operations/spans.md).",
     .read = CollectorUrlIfAny<&OptionDraft::otlp_endpoint>},
    {.name = "otlp-traces-endpoint",
     .variable = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
     .what = "The same with its whole path; it counts before --otlp-endpoint",
     .read = CollectorUrlIfAny<&OptionDraft::otlp_traces_endpoint>},
    // These two may be set for all programs of a pod, and are looked at if there are spans.
    {.name = "traces-sampler",
     .unset = "parentbased_always_on",
     .variable = "OTEL_TRACES_SAMPLER",
     .what = "Which calls have spans: `always_on`, `always_off`, `traceidratio`, or one of these "
             "after `parentbased_`",
     .read = Text<&OptionDraft::traces_sampler>},
    {.name = "traces-sampler-arg",
     .unset = "1",
     .variable = "OTEL_TRACES_SAMPLER_ARG",
     .what = "With `traceidratio`, the share of them, 0 to 1",
     .read = Text<&OptionDraft::traces_sampler_arg>},
};

constexpr OptionRow kLogging[] = {
    {.name = "log-format",
     .preset = "auto",
     .what = "`json` or `text`; `auto`: text on a terminal, JSON otherwise",
     .read = Format},
    {.name = "log-level",
     .preset = "info",
     .what = "The lowest level that is logged: `debug`, `info`, `warn`, `error`",
     .read = Level},
    {.name = "log-hits",
     .preset = "0.01",
     .what = "The share of calls answered from the cache that is logged, 0 to 1",
     .read = HitsShare},
    {.name = "log-file",
     .unset = "stderr",
     .what = "File that log lines are appended to",
     .more = "SIGHUP opens it again, for logrotate.",
     .read = Text<&Options::log_file>},
};

constexpr OptionGroup kGroups[] = {
    {.name = "Listening", .rows = kListening},
    {.name = "Asking Cloudflare", .rows = kCloudflare},
    {.name = "Keeping answers", .rows = kKeeping},
    {.name = "Sharing a Redis", .rows = kRedis},
    {.name = "Operating", .rows = kOperating},
    {.name = "Bounds", .rows = kBounds},
    {.name = "What callers may do", .rows = kAllowed},
    {.name = "Spans", .rows = kSpans},
    {.name = "Logging", .rows = kLogging},
};

}  // namespace

absl::Span<const OptionGroup> OptionTable() { return kGroups; }

const OptionRow* FindOption(absl::string_view name) {
  for (const OptionGroup& group : kGroups) {
    for (const OptionRow& row : group.rows) {
      if (name == row.name) return &row;
    }
  }
  return nullptr;
}

std::string HelpOf(const OptionRow& row) {
  return absl::StrCat(row.what,
                      row.unset != nullptr ? absl::StrCat("; by default ", row.unset) : "",
                      row.variable != nullptr ? absl::StrCat(" (also ", row.variable, ")") : "");
}

}  // namespace pcap_gateway
