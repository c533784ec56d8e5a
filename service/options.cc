#include "service/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "service/option_file.h"
#include "service/option_names.h"
#include "service/option_values.h"
#include "service/tracing/tracing.h"

namespace pcap_gateway {
namespace {

using Environment = std::function<const char*(const char*)>;

constexpr size_t kMostCaFileBytes = 16 << 20;
constexpr size_t kMostConfigBytes = 1 << 20;
constexpr int64_t kMostRequests = 1'000'000'000;
constexpr int64_t kMostAtOnce = 1'000'000'000;
constexpr int64_t kMostRetries = 10;
constexpr absl::Duration kLongestLifetime = absl::Hours(24 * 30);

// The options as the operator wrote them; Finalise makes Options of them.
struct RawOptions {
  std::string listen = "127.0.0.1:50051";
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string tls_client_ca_file;
  bool insecure = false;
  std::string policy_file;
  std::string reload_interval = "10s";
  std::string upstream_url = "https://api.cloudflare.com/client/v4";
  std::string upstream_ca_file;
  std::string upstream_proxy;
  std::string upstream_timeout = "30s";
  std::string upstream_connect_timeout = "5s";
  std::string upstream_first_byte_timeout = "10s";
  bool allow_http_upstream = false;
  std::string upstream_limit = "1200";
  std::string upstream_reserve;
  std::string caller_hold;
  std::string upstream_address_limit;
  std::string upstream_retries = "2";
  std::string upstream_failures = "20";
  std::string credential = "service";
  std::string ready = "listening";
  std::string api_token_file;
  std::string default_account_id;
  std::string cache_bytes = "64MiB";
  std::string final_lifetime = "24h";
  std::string moving_lifetime = "2s";
  std::string longest_moving_lifetime = "10s";
  std::string not_found_lifetime = "5s";
  std::string stale_while_revalidate = "5s";
  std::string stale_if_error = "1h";
  std::string redis_url;
  std::string redis_ca_file;
  std::string redis_cert_file;
  std::string redis_key_file;
  std::string redis_timeout = "5ms";
  std::string admin_listen = "127.0.0.1:9464";
  std::string channelz_listen;
  bool reveal_destination_secrets = false;
  std::string lame_duck = "5s";
  std::string drain_timeout = "30s";
  std::string max_connections = "10000";
  std::string max_calls = "10000";
  std::string max_streams = "10000";
  std::string max_streams_per_connection = "100";
  std::string first_message_timeout = "10s";
  std::string stream_idle_timeout = "60s";
  std::string allow;
  std::string max_downloads = "64";
  std::string most_download_bytes = "1GiB";
  bool reflection = true;

  std::string otlp_endpoint;
  std::string otlp_traces_endpoint;
  std::string traces_sampler;
  std::string traces_sampler_arg;

  std::string log_format = "auto";
  std::string log_level = "info";
  std::string log_hits = "0.01";
  std::string log_file;

  std::string check;
};

absl::Status Refused(absl::string_view option, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("--", option, ": ", why));
}

absl::Status Check(absl::string_view option, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), Refused(option, status.message()).message());
}

// Puts the value into `place`, or says of which option it is not one.
template <typename T, typename Place>
absl::Status Put(absl::string_view option, absl::StatusOr<T> value, Place& place) {
  if (!value.ok()) return Check(option, value.status());
  place = *std::move(value);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Credential>> CredentialFromFile(const std::string& path) {
  const absl::StatusOr<std::string> token = ContentOf(path, kMostTokenFileBytes);
  if (!token.ok()) return Check("api-token-file", token.status());
  auto credential = Credential::FromToken(Credential::Owner::kGateway, *token);
  if (!credential.ok()) {
    return Refused("api-token-file",
                   absl::StrCat("cannot be used: ", credential.status().message()));
  }
  return credential;
}

// The credential, or its own error after the variables that it came from.
absl::StatusOr<std::shared_ptr<const Credential>> CredentialFromVariables(
    absl::string_view names, absl::StatusOr<std::shared_ptr<const Credential>> credential) {
  if (credential.ok()) return credential;
  return absl::InvalidArgumentError(absl::StrCat(names, ": ", credential.status().message()));
}

// A variable that is not named after an option of ours; "" where it is not set. An empty one counts
// as not set: that is what a container's environment is given for a value that somebody left out.
absl::string_view CommonVariable(const Environment& environment, const char* name) {
  const char* const value = environment(name);
  return value == nullptr ? "" : value;
}

// The gateway's own credential: --api-token-file, else CLOUDFLARE_API_TOKEN, else CLOUDFLARE_EMAIL
// and CLOUDFLARE_API_KEY.
absl::StatusOr<std::shared_ptr<const Credential>> ServiceCredential(
    const std::string& token_file, const Environment& environment) {
  constexpr auto kOwner = Credential::Owner::kGateway;
  if (!token_file.empty()) return CredentialFromFile(token_file);
  const absl::string_view token = CommonVariable(environment, "CLOUDFLARE_API_TOKEN");
  if (!token.empty()) {
    return CredentialFromVariables("CLOUDFLARE_API_TOKEN", Credential::FromToken(kOwner, token));
  }
  const absl::string_view email = CommonVariable(environment, "CLOUDFLARE_EMAIL");
  const absl::string_view key = CommonVariable(environment, "CLOUDFLARE_API_KEY");
  if (email.empty() && key.empty()) {
    return Refused("credential",
                   "no Cloudflare credential: give --api-token-file, CLOUDFLARE_API_TOKEN, or "
                   "CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY; or let callers bring theirs with "
                   "--credential=caller");
  }
  return CredentialFromVariables("CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY",
                                 Credential::FromEmailAndKey(kOwner, email, key));
}

absl::Status FinaliseCredential(const RawOptions& raw, const Environment& environment,
                                Options& options) {
  if (raw.ready == "credential") {
    options.ready = Options::Ready::kCredential;
  } else if (raw.ready != "listening") {
    return Refused("ready", "must be `listening` or `credential`");
  }
  if (raw.credential == "caller") {
    if (!raw.api_token_file.empty()) {
      return Refused("api-token-file", "has no use with --credential=caller");
    }
    if (options.ready == Options::Ready::kListening) return absl::OkStatus();
    return Refused("ready", "with --credential=caller there is no credential to wait for");
  }
  if (raw.credential != "service") return Refused("credential", "must be `service` or `caller`");
  auto credential = ServiceCredential(raw.api_token_file, environment);
  if (!credential.ok()) return credential.status();
  options.service_credential = *std::move(credential);
  options.api_token_file = raw.api_token_file;
  return absl::OkStatus();
}

// libcurl reads the file with each new connection; that it is of no use should not wait till then.
absl::Status CheckCaFile(const std::string& path) {
  const absl::StatusOr<std::string> certificates = ContentOf(path, kMostCaFileBytes);
  if (!certificates.ok()) return certificates.status();
  if (absl::StrContains(*certificates, "CERTIFICATE-----")) return absl::OkStatus();
  return absl::InvalidArgumentError("holds no certificate in PEM form");
}

absl::Status FinaliseUpstream(const RawOptions& raw, Options& options) {
  absl::Status status = Put("upstream-url", BaseUrlFrom(raw.upstream_url, raw.allow_http_upstream),
                            options.upstream_url);
  status.Update(Put("upstream-timeout", DurationFrom(raw.upstream_timeout, absl::Milliseconds(1)),
                    options.upstream_timeout));
  const struct {
    const char* option;
    const std::string& text;
    absl::Duration& place;
  } parts[] = {
      {"upstream-connect-timeout", raw.upstream_connect_timeout, options.upstream_connect_timeout},
      {"upstream-first-byte-timeout", raw.upstream_first_byte_timeout,
       options.upstream_first_byte_timeout},
  };
  for (const auto& [option, text, place] : parts) {
    status.Update(Put(option, DurationFrom(text, absl::Milliseconds(1)), place));
  }
  status.Update(
      Put("upstream-limit", CountFrom(raw.upstream_limit, kMostRequests), options.upstream_limit));
  options.upstream_reserve = options.upstream_limit / 5;
  if (!raw.upstream_reserve.empty()) {
    status.Update(Put("upstream-reserve", CountFrom(raw.upstream_reserve, kMostRequests),
                      options.upstream_reserve));
  }
  if (options.upstream_limit > 0 && options.upstream_reserve >= options.upstream_limit) {
    status.Update(Refused("upstream-reserve", "must be less than --upstream-limit"));
  }
  if (!raw.caller_hold.empty()) {
    int64_t& hold = options.caller_hold.emplace();
    status.Update(Put("caller-hold", CountFrom(raw.caller_hold, kMostRequests), hold));
    if (options.upstream_limit > 0 && hold >= options.upstream_limit) {
      status.Update(Refused("caller-hold", "must be less than --upstream-limit"));
    }
  }
  // Who asks for no bound upstream asks something else than Cloudflare.
  if (options.upstream_limit == 0) options.upstream_address_limit = 0;
  if (!raw.upstream_address_limit.empty()) {
    status.Update(Put("upstream-address-limit",
                      CountFrom(raw.upstream_address_limit, kMostRequests),
                      options.upstream_address_limit));
  }
  status.Update(Put("upstream-retries", CountFrom(raw.upstream_retries, kMostRetries),
                    options.upstream_retries));
  status.Update(Put("upstream-failures", CountFrom(raw.upstream_failures, kMostRequests),
                    options.upstream_failures));
  if (!raw.upstream_ca_file.empty()) {
    status.Update(Check("upstream-ca-file", CheckCaFile(raw.upstream_ca_file)));
  }
  options.upstream_ca_file = raw.upstream_ca_file;
  if (!raw.upstream_proxy.empty()) {
    status.Update(Check("upstream-proxy", CheckProxyUrl(raw.upstream_proxy)));
  }
  options.upstream_proxy = raw.upstream_proxy;
  return status;
}

// The files are read with each new connection; that one is of no use should not wait till then.
absl::Status FinaliseRedisTls(const RawOptions& raw, Options& options) {
  const bool tls = options.redis_url.has_value() && options.redis_url->tls;
  const std::pair<const char*, const std::string&> files[] = {
      {"redis-ca-file", raw.redis_ca_file},
      {"redis-cert-file", raw.redis_cert_file},
      {"redis-key-file", raw.redis_key_file},
  };
  for (const auto& [option, path] : files) {
    if (path.empty()) continue;
    if (!tls) return Refused(option, "has no use without a --redis-url of rediss://");
  }
  if (raw.redis_cert_file.empty() != raw.redis_key_file.empty()) {
    return Refused(raw.redis_cert_file.empty() ? "redis-cert-file" : "redis-key-file",
                   "a certificate and its key belong together");
  }
  options.redis_tls_files = {.ca_file = raw.redis_ca_file,
                             .cert_file = raw.redis_cert_file,
                             .key_file = raw.redis_key_file};
  if (!tls) return absl::OkStatus();
  // Alone first, so that what is wrong with the other two is theirs.
  const absl::Status authorities = RedisTls::Load({.ca_file = raw.redis_ca_file}).status();
  if (!authorities.ok()) return Check("redis-ca-file", authorities);
  const absl::Status shown = RedisTls::Load(options.redis_tls_files).status();
  const bool is_of_key = absl::StartsWith(shown.message(), absl::StrCat(raw.redis_key_file, ": "));
  return Check(is_of_key ? "redis-key-file" : "redis-cert-file", shown);
}

absl::Status FinaliseCache(const RawOptions& raw, Options& options) {
  absl::Status status = Put("cache-bytes", BytesFrom(raw.cache_bytes), options.cache_bytes);
  FreshnessPolicy& freshness = options.freshness;
  const struct {
    const char* option;
    const std::string& text;
    absl::Duration& place;
  } lifetimes[] = {
      {"final-lifetime", raw.final_lifetime, freshness.final_lifetime},
      {"moving-lifetime", raw.moving_lifetime, freshness.moving_lifetime},
      {"longest-moving-lifetime", raw.longest_moving_lifetime, freshness.longest_moving_lifetime},
      {"not-found-lifetime", raw.not_found_lifetime, freshness.not_found_lifetime},
      {"stale-while-revalidate", raw.stale_while_revalidate, freshness.stale_while_revalidate},
      {"stale-if-error", raw.stale_if_error, freshness.stale_if_error},
  };
  for (const auto& [option, text, place] : lifetimes) {
    status.Update(Put(option, DurationFrom(text, absl::ZeroDuration(), kLongestLifetime), place));
  }
  if (freshness.longest_moving_lifetime < freshness.moving_lifetime) {
    status.Update(Refused("longest-moving-lifetime", "must not be less than --moving-lifetime"));
  }
  if (!raw.redis_url.empty()) {
    status.Update(Put("redis-url", RedisUrlFrom(raw.redis_url), options.redis_url));
  }
  if (status.ok()) status = FinaliseRedisTls(raw, options);
  status.Update(Put("redis-timeout",
                    DurationFrom(raw.redis_timeout, absl::Milliseconds(1), absl::Seconds(10)),
                    options.redis_timeout));
  return status;
}

// Whose files they are is checked when they are read.
absl::Status FinaliseAccess(const RawOptions& raw, Options& options) {
  if (raw.tls_cert_file.empty() != raw.tls_key_file.empty()) {
    return Refused(raw.tls_cert_file.empty() ? "tls-cert-file" : "tls-key-file",
                   "a certificate and its key belong together");
  }
  const bool tls = !raw.tls_cert_file.empty();
  if (!tls && !raw.tls_client_ca_file.empty()) {
    return Refused("tls-client-ca-file", "has no use without --tls-cert-file and --tls-key-file");
  }
  if (!tls && !raw.insecure && !ListensOnLoopback(raw.listen)) {
    return Refused("listen",
                   "callers on other machines need TLS: give --tls-cert-file and --tls-key-file, "
                   "or say --insecure");
  }
  options.tls_cert_file = raw.tls_cert_file;
  options.tls_key_file = raw.tls_key_file;
  options.tls_client_ca_file = raw.tls_client_ca_file;
  options.policy_file = raw.policy_file;
  return Put("reload-interval", DurationFrom(raw.reload_interval, absl::Milliseconds(1)),
             options.reload_interval);
}

// `write,download`: words of what is allowed, each once or more, in any order.
absl::Status FinaliseAllow(const RawOptions& raw, Options& options) {
  if (raw.allow.empty()) return absl::OkStatus();
  for (const absl::string_view word : absl::StrSplit(raw.allow, ',')) {
    if (word == "write") {
      options.allow_write = true;
    } else if (word == "download") {
      options.allow_download = true;
    } else {
      return Refused("allow", "must be `write`, `download` or `write,download`");
    }
  }
  return absl::OkStatus();
}

absl::Status FinaliseDownloads(const RawOptions& raw, Options& options) {
  absl::Status status = FinaliseAllow(raw, options);
  status.Update(
      Put("max-downloads", CountFrom(raw.max_downloads, kMostAtOnce), options.max_downloads));
  status.Update(
      Put("most-download-bytes", BytesFrom(raw.most_download_bytes), options.most_download_bytes));
  if (options.most_download_bytes == 0) {
    status.Update(Refused("most-download-bytes", "must be above 0"));
  }
  status.Update(Put("stream-idle-timeout",
                    DurationFrom(raw.stream_idle_timeout, absl::Milliseconds(1)),
                    options.stream_idle_timeout));
  return status;
}

absl::Status FinaliseServing(const RawOptions& raw, Options& options) {
  absl::Status status = Check("listen", CheckHostAndPort(raw.listen));
  options.listen = raw.listen;
  if (status.ok()) status = FinaliseAccess(raw, options);
  if (!raw.admin_listen.empty()) {
    status.Update(Check("admin-listen", CheckHostAndPort(raw.admin_listen)));
  }
  options.admin_listen = raw.admin_listen;
  if (!raw.channelz_listen.empty()) {
    status.Update(Check("channelz-listen", CheckHostAndPort(raw.channelz_listen)));
    if (status.ok() && !ListensOnLoopback(raw.channelz_listen)) {
      status = Refused("channelz-listen", "tells of callers, so it must be on loopback");
    }
  }
  options.channelz_listen = raw.channelz_listen;
  if (!raw.default_account_id.empty()) {
    options.default_account_id = Id::Parse(raw.default_account_id);
    if (!options.default_account_id.has_value()) {
      status.Update(Refused("default-account-id", "must be 32 lower-case hexadecimal digits"));
    }
  }
  status.Update(
      Put("lame-duck", DurationFrom(raw.lame_duck, absl::ZeroDuration()), options.lame_duck));
  status.Update(Put("drain-timeout", DurationFrom(raw.drain_timeout, absl::ZeroDuration()),
                    options.drain_timeout));
  status.Update(
      Put("max-connections", CountFrom(raw.max_connections, kMostAtOnce), options.max_connections));
  status.Update(Put("max-calls", CountFrom(raw.max_calls, kMostAtOnce), options.max_calls));
  status.Update(Put("max-streams", CountFrom(raw.max_streams, kMostAtOnce), options.max_streams));
  status.Update(Put("max-streams-per-connection",
                    CountFrom(raw.max_streams_per_connection, kMostAtOnce),
                    options.max_streams_per_connection));
  status.Update(Put("first-message-timeout",
                    DurationFrom(raw.first_message_timeout, absl::Milliseconds(1)),
                    options.first_message_timeout));
  status.Update(FinaliseDownloads(raw, options));
  options.reveal_destination_secrets = raw.reveal_destination_secrets;
  options.reflection = raw.reflection;
  return status;
}

absl::StatusOr<std::optional<LogFormat>> LogFormatFrom(absl::string_view text) {
  if (text == "auto") return std::nullopt;
  if (text == "json") return LogFormat::kJson;
  if (text == "text") return LogFormat::kText;
  return absl::InvalidArgumentError("must be `auto`, `json` or `text`");
}

absl::StatusOr<LogLevel> LogLevelFrom(absl::string_view text) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (text == NameOf(level)) return level;
  }
  return absl::InvalidArgumentError("must be `debug`, `info`, `warn` or `error`");
}

absl::Status FinaliseLog(const RawOptions& raw, Options& options) {
  absl::Status status = Put("log-format", LogFormatFrom(raw.log_format), options.log_format);
  status.Update(Put("log-level", LogLevelFrom(raw.log_level), options.log_level));
  status.Update(Put("log-hits", FractionFrom(raw.log_hits), options.log_hits));
  options.log_file = raw.log_file;
  return status;
}

// Why OpenTelemetry's own variables ask for what we have no spans for; empty: they do not. They
// mostly concern all programs of a pod, so none of them stops the start.
std::string WhyNoSpans(const Environment& environment) {
  constexpr absl::string_view kGrpcHint =
      ": spans go out as http/protobuf or http/json (port 4318 of most collectors) alone, so there "
      "are no spans";
  const absl::string_view exporter = CommonVariable(environment, "OTEL_TRACES_EXPORTER");
  if (!exporter.empty() && exporter != "otlp") {
    return "OTEL_TRACES_EXPORTER is neither `otlp` nor `none`, so there are no spans";
  }
  for (const char* name : {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"}) {
    const absl::string_view protocol = CommonVariable(environment, name);
    if (protocol.empty()) continue;
    if (protocol == "http/protobuf" || protocol == "http/json") break;
    return absl::StrCat(name, kGrpcHint);
  }
  if (!HasTracing()) {
    return "an OpenTelemetry endpoint is set, and this build has no OpenTelemetry: there are no "
           "spans (pcap-gateway --version)";
  }
  return "";
}

absl::Status FinaliseTracing(const RawOptions& raw, const Environment& environment,
                             Options& options) {
  // By name, as OpenTelemetry has it: the signal's own endpoint comes before the common one.
  std::string url;
  absl::Status status;
  if (!raw.otlp_endpoint.empty()) {
    status = Put("otlp-endpoint", CollectorUrlFrom(raw.otlp_endpoint), url);
    url += "/v1/traces";
  }
  if (!raw.otlp_traces_endpoint.empty()) {
    status.Update(Put("otlp-traces-endpoint", CollectorUrlFrom(raw.otlp_traces_endpoint), url));
  }
  if (!status.ok() || url.empty()) return status;
  if (absl::EqualsIgnoreCase(CommonVariable(environment, "OTEL_SDK_DISABLED"), "true") ||
      CommonVariable(environment, "OTEL_TRACES_EXPORTER") == "none") {
    return absl::OkStatus();
  }
  status = Put("traces-sampler", SamplingFrom(raw.traces_sampler), options.sampling);
  if (status.ok() && TakesShare(raw.traces_sampler) && !raw.traces_sampler_arg.empty()) {
    status =
        Put("traces-sampler-arg", FractionFrom(raw.traces_sampler_arg), options.sampling.share);
  }
  if (!status.ok()) return status;
  std::string why_none = WhyNoSpans(environment);
  if (why_none.empty()) {
    options.traces_url = std::move(url);
  } else {
    options.warnings.push_back(std::move(why_none));
  }
  return absl::OkStatus();
}

// Raw texts to usable values, or what is wrong with the first that is not.
absl::StatusOr<Options> Finalise(const RawOptions& raw, const Environment& environment) {
  Options options;
  absl::Status status = FinaliseServing(raw, options);
  status.Update(FinaliseLog(raw, options));
  status.Update(FinaliseCache(raw, options));
  status.Update(FinaliseUpstream(raw, options));
  status.Update(FinaliseTracing(raw, environment, options));
  status.Update(FinaliseCredential(raw, environment, options));
  if (!status.ok()) return status;
  return options;
}

constexpr char kSwitchValues[] = "must be true or false";

// "" for what a switch can be set to, else what is wrong with it.
std::string CheckSwitch(const std::string& value) {
  for (const char* word : {"true", "false", "on", "off", "yes", "no", "1", "0"}) {
    if (absl::EqualsIgnoreCase(value, word)) return "";
  }
  return kSwitchValues;
}

bool IsSwitch(const CLI::Option& option) { return option.get_expected_max() == 0; }

// CLI11 would take an empty value for true.
CLI::ValidationError EmptySwitch(const CLI::Option& option) {
  return CLI::ValidationError(option.get_name(), kSwitchValues);
}

void DeclareSwitch(CLI::App& app, const std::string& names, bool& place, const std::string& what) {
  app.add_flag(names, place, what)->check(CheckSwitch);
}

void Declare(CLI::App& app, RawOptions& raw) {
  app.add_option("--listen", raw.listen, "HOST:PORT of the gRPC service; port 0 takes a free one");
  app.add_option("--tls-cert-file", raw.tls_cert_file,
                 "PEM file of the certificate that callers see, with its chain");
  app.add_option("--tls-key-file", raw.tls_key_file, "PEM file of its private key");
  app.add_option("--tls-client-ca-file", raw.tls_client_ca_file,
                 "PEM file of the authorities whose certificates callers must show");
  DeclareSwitch(app, "--insecure", raw.insecure,
                "Listen without TLS where other machines can connect");
  app.add_option("--policy-file", raw.policy_file,
                 "JSON file that says who may call what, and for which accounts");
  app.add_option("--reload-interval", raw.reload_interval,
                 "How often the files of TLS, policy and token are looked at");
  app.add_option("--upstream-url", raw.upstream_url,
                 "Base URL of Cloudflare's API (also CLOUDFLARE_BASE_URL)");
  app.add_option(
      "--upstream-ca-file", raw.upstream_ca_file,
      "PEM file of the certificates to trust instead of the system's (also SSL_CERT_FILE)");
  app.add_option("--upstream-proxy", raw.upstream_proxy,
                 "URL of a proxy; the environment's proxies are not used");
  app.add_option("--upstream-timeout", raw.upstream_timeout,
                 "The longest that one request to Cloudflare may take, repeated or not");
  app.add_option("--upstream-connect-timeout", raw.upstream_connect_timeout,
                 "Of that, for a connection: address, TCP and TLS");
  app.add_option("--upstream-first-byte-timeout", raw.upstream_first_byte_timeout,
                 "Of that, until an answer begins; then 1 KiB has to come in each 5s");
  app.add_option("--upstream-limit", raw.upstream_limit,
                 "Requests in five minutes for each credential; 0 for any number");
  app.add_option("--upstream-reserve", raw.upstream_reserve,
                 "Of these, so many are for calls alone, not for refreshes; by default a fifth");
  app.add_option("--caller-hold", raw.caller_hold,
                 "Of these, so many are for callers who have had little; by default a twentieth");
  app.add_option(
      "--upstream-address-limit", raw.upstream_address_limit,
      "Requests in a second for all credentials together; 0 for any number; by default 200, "
      "and any number with --upstream-limit=0");
  app.add_option("--upstream-retries", raw.upstream_retries,
                 "How often a request that failed for the moment is repeated");
  app.add_option("--upstream-failures", raw.upstream_failures,
                 "Failures in a row after which Cloudflare is left alone for a moment; 0: never");
  DeclareSwitch(app, "--allow-http-upstream", raw.allow_http_upstream,
                "Accept a plain http upstream that is not on this machine");
  app.add_option("--credential", raw.credential,
                 "`service`: one credential for all calls; `caller`: each call brings its own");
  app.add_option("--api-token-file", raw.api_token_file,
                 "File with the API token; else CLOUDFLARE_API_TOKEN, else CLOUDFLARE_EMAIL and "
                 "CLOUDFLARE_API_KEY");
  app.add_option("--ready", raw.ready,
                 "When health says that calls may come: `listening`, or `credential`: once "
                 "Cloudflare has accepted the credential");
  app.add_option("--default-account-id", raw.default_account_id,
                 "Account of requests that name none (also CLOUDFLARE_ACCOUNT_ID)");
  app.add_option("--cache-bytes", raw.cache_bytes, "Memory of the cache; 0 turns it off");
  app.add_option("--final-lifetime", raw.final_lifetime,
                 "How long a capture that has come to its end is fresh");
  app.add_option("--moving-lifetime", raw.moving_lifetime,
                 "How long a young capture that may still change is fresh");
  app.add_option(
      "--longest-moving-lifetime", raw.longest_moving_lifetime,
      "What that grows to, by a tenth of the capture's age; and how long a list is fresh in which "
      "nothing moves");
  app.add_option("--not-found-lifetime", raw.not_found_lifetime,
                 "How long it holds that there is no such capture");
  app.add_option("--stale-while-revalidate", raw.stale_while_revalidate,
                 "How long after that a stale answer is given while it is refreshed");
  app.add_option("--stale-if-error", raw.stale_if_error,
                 "How long after that a stale answer is given when Cloudflare fails");
  // No default is shown for what may hold a password.
  app.add_option("--redis-url", raw.redis_url,
                 "Redis that replicas share: redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], "
                 "rediss:// for TLS, or unix:///PATH");
  app.add_option("--redis-ca-file", raw.redis_ca_file,
                 "PEM file of the certificates to trust for rediss:// instead of the system's");
  app.add_option("--redis-cert-file", raw.redis_cert_file,
                 "PEM file of the certificate to show to Redis, with its chain");
  app.add_option("--redis-key-file", raw.redis_key_file, "PEM file of its private key");
  app.add_option("--redis-timeout", raw.redis_timeout, "The longest that a call waits for Redis");
  app.add_option("--channelz-listen", raw.channelz_listen,
                 "HOST:PORT of grpc.channelz.v1, on loopback; by default none");
  app.add_option("--admin-listen", raw.admin_listen,
                 "HOST:PORT of metrics and health over HTTP; empty for none");
  DeclareSwitch(app, "--reveal-destination-secrets", raw.reveal_destination_secrets,
                "Answer with destination_conf as Cloudflare sent it");
  app.add_option("--lame-duck", raw.lame_duck,
                 "How long to go on serving after SIGTERM, for balancers to turn away");
  app.add_option("--drain-timeout", raw.drain_timeout,
                 "How long calls in flight may take to finish after that");
  app.add_option("--max-connections", raw.max_connections,
                 "Connections at once, further ones are refused; 0 for what descriptors allow");
  app.add_option(
      "--max-calls", raw.max_calls,
      "Calls at once that wait for an answer, further ones are refused; 0 for any number");
  app.add_option("--max-streams", raw.max_streams,
                 "Streams at once that wait for their caller, further ones are refused; 0 for any "
                 "number");
  app.add_option("--max-streams-per-connection", raw.max_streams_per_connection,
                 "Streams at once of one connection; 0 for any number");
  app.add_option("--first-message-timeout", raw.first_message_timeout,
                 "How long a stream's first message may take, and its peer to take an answer");
  app.add_option("--stream-idle-timeout", raw.stream_idle_timeout,
                 "How long a caller may take to read one message of a download");
  app.add_option("--allow", raw.allow,
                 "What callers may do beside reading: `write`, `download` or `write,download`; by "
                 "default neither");
  app.add_option("--max-downloads", raw.max_downloads,
                 "Downloads at once, further ones are refused; 0 for any number");
  app.add_option("--most-download-bytes", raw.most_download_bytes,
                 "A file that is larger is not passed on; a number, or with KiB, MiB, GiB");
  DeclareSwitch(app, "--reflection,!--no-reflection", raw.reflection,
                "Serve gRPC reflection (default)");

  app.add_option("--otlp-endpoint", raw.otlp_endpoint,
                 "URL of an OpenTelemetry collector that gets spans, at /v1/traces below it (also "
                 "OTEL_EXPORTER_OTLP_ENDPOINT); by default none");
  app.add_option("--otlp-traces-endpoint", raw.otlp_traces_endpoint,
                 "The same with its whole path, and before that (also "
                 "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)");
  app.add_option("--traces-sampler", raw.traces_sampler,
                 "Which calls have spans: `always_on`, `always_off`, `traceidratio`, each after "
                 "`parentbased_` too (also OTEL_TRACES_SAMPLER); by default parentbased_always_on");
  app.add_option("--traces-sampler-arg", raw.traces_sampler_arg,
                 "With `traceidratio`, the share of them, 0 to 1 (also OTEL_TRACES_SAMPLER_ARG)");

  app.add_option("--log-format", raw.log_format,
                 "`json` or `text`; `auto`: text on a terminal, JSON otherwise");
  app.add_option("--log-level", raw.log_level,
                 "What is below is not logged: `debug`, `info`, `warn`, `error`");
  app.add_option("--log-hits", raw.log_hits,
                 "The share of calls answered from the cache that is logged, 0 to 1");
  app.add_option("--log-file", raw.log_file,
                 "File that log lines are appended to, instead of stderr");
  app.add_option("--check", raw.check,
                 "Look at all options and files, say what is wrong with them, and end; "
                 "`--check=online`: ask Cloudflare for the credential's state, too")
      ->expected(0, 1)
      ->type_name("[=online]");
}

// Names that others have for some options, below ours.
const char* CommonVariableOf(absl::string_view option) {
  if (option == "upstream-url") return "CLOUDFLARE_BASE_URL";
  if (option == "upstream-ca-file") return "SSL_CERT_FILE";
  if (option == "default-account-id") return "CLOUDFLARE_ACCOUNT_ID";
  if (option == "otlp-endpoint") return "OTEL_EXPORTER_OTLP_ENDPOINT";
  if (option == "otlp-traces-endpoint") return "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  if (option == "traces-sampler") return "OTEL_TRACES_SAMPLER";
  if (option == "traces-sampler-arg") return "OTEL_TRACES_SAMPLER_ARG";
  return nullptr;
}

// Those that stand on the command line alone.
bool IsCommand(absl::string_view option) {
  return option == "help" || option == "version" || option == "check";
}

std::vector<std::string> NamesOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) names.push_back(option->get_single_name());
  return names;
}

// Name and value of the variable that sets the option; nullopt: none does.
std::optional<std::pair<std::string, absl::string_view>> VariableFor(
    absl::string_view option, const Environment& environment) {
  if (IsCommand(option)) return std::nullopt;
  std::string variable = VariableOf(option);
  if (const char* const value = environment(variable.c_str())) {
    return std::pair(std::move(variable), absl::string_view(value));
  }
  const char* const common = CommonVariableOf(option);
  if (common == nullptr) return std::nullopt;
  const absl::string_view value = CommonVariable(environment, common);
  if (value.empty()) return std::nullopt;
  return std::pair(std::string(common), value);
}

// The environment as arguments. They go before the command line's, of which the last one of a name
// wins.
std::vector<std::string> ArgumentsFrom(const CLI::App& app, const Environment& environment) {
  std::vector<std::string> arguments;
  for (const std::string& name : NamesOf(app)) {
    if (const auto variable = VariableFor(name, environment)) {
      arguments.push_back(absl::StrCat("--", name, "=", variable->second));
    }
  }
  return arguments;
}

// CLI11 takes `--name=` for a name whose value is the next argument. Makes two arguments of it, the
// second one empty; a switch has no empty value.
std::vector<std::string> WithEmptyValues(const CLI::App& app,
                                         const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (const std::string& argument : arguments) {
    absl::string_view name = argument;
    const bool ends = absl::ConsumeSuffix(&name, "=") && !absl::StrContains(name, "=");
    const CLI::Option* const option = ends ? app.get_option_no_throw(std::string(name)) : nullptr;
    if (option == nullptr) {
      result.push_back(argument);
      continue;
    }
    if (IsSwitch(*option)) throw EmptySwitch(*option);
    result.emplace_back(name);
    result.emplace_back();
  }
  return result;
}

// Whether it may be repeated in a message: a token has capitals, or is longer than any name.
bool LooksLikeAName(absl::string_view text) {
  return !text.empty() && text.size() <= 30 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
         });
}

// The --config file, for CLI11 to put below what the command line and the environment say.
class OptionFile final : public CLI::Config {
 public:
  // Notes in `lines` on which line each option stands.
  OptionFile(const CLI::App& app, std::map<std::string, int>& lines) : app_(app), lines_(lines) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return ""; }

  std::vector<CLI::ConfigItem> from_config(std::istream& file) const override {
    const absl::StatusOr<std::vector<OptionLine>> lines = OptionLinesFrom(file);
    if (!lines.ok()) throw Error(lines.status().message());
    std::vector<CLI::ConfigItem> items;
    for (const OptionLine& line : *lines) {
      const CLI::Option* const option = app_.get_option_no_throw(absl::StrCat("--", line.name));
      if (option == nullptr || !option->get_configurable() || IsCommand(line.name)) {
        throw Error(absl::StrCat("line ", line.number, ": ", NoSuchOption(line.name)));
      }
      if (line.value.empty() && IsSwitch(*option)) throw EmptySwitch(*option);
      CLI::ConfigItem& item = items.emplace_back();
      item.name = line.name;
      item.inputs = {line.value};
      lines_[line.name] = line.number;
    }
    return items;
  }

 private:
  static CLI::ConfigError Error(absl::string_view what) {
    return {absl::StrCat("--config: ", what), CLI::ExitCodes::ConfigError};
  }

  std::string NoSuchOption(absl::string_view name) const {
    if (!LooksLikeAName(name)) return "there is no such option for a file";
    return absl::StrCat("there is no such option for a file: ", name,
                        DidYouMean(name, NamesOf(app_)));
  }

  const CLI::App& app_;
  std::map<std::string, int>& lines_;
};

// What nobody asked for. Words that are no names are not repeated: one may be a token.
std::string Unexpected(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<absl::string_view> names;
  for (const absl::string_view argument : arguments) {
    const absl::string_view name = argument.substr(0, argument.find('='));
    if (absl::StartsWith(name, "--") && LooksLikeAName(name.substr(2))) names.push_back(name);
  }
  if (names.empty()) return "a stray argument: options begin with -- (see --help)";
  return absl::StrCat(absl::StrJoin(names, ", "), ": there is no such option",
                      names.size() == 1 ? DidYouMean(names[0].substr(2), NamesOf(app)) : "",
                      " (see --help)");
}

EarlyExit Unusable(const absl::Status& status) {
  std::string line(status.message());
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); }, ' ');
  return {ExitCodeOf(status), absl::StrCat("pcap-gateway: ", absl::StripAsciiWhitespace(line))};
}

bool IsWithoutValue(const CLI::ParseError& error) {
  return dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr;
}

// Of an option that needs a value and has none, CLI11 says "1 required TEXT missing".
std::string Readable(const CLI::ParseError& error) {
  const absl::string_view what = error.what();
  const absl::string_view name = what.substr(0, what.find(':'));
  if (!IsWithoutValue(error)) return std::string(what);
  return absl::StrCat(name, ": needs a value: ", name, "=VALUE");
}

// CLI11 does not say why a file cannot be read.
absl::Status ConfigUnreadable(const std::string& path) {
  const absl::StatusOr<std::string> content = ContentOf(path, kMostConfigBytes);
  if (!content.ok()) return Check("config", content.status());
  return absl::UnavailableError("--config: cannot be read");
}

// All that can be set, as it is now. `lines`: those of the --config file, by the option they set.
std::vector<Setting> SettingsOf(const CLI::App& app, const std::vector<std::string>& arguments,
                                const Environment& environment,
                                const std::map<std::string, int>& lines) {
  const auto is_flag = [&arguments](absl::string_view name) {
    return std::any_of(arguments.begin(), arguments.end(), [name](absl::string_view argument) {
      if (!absl::ConsumePrefix(&argument, "--")) return false;
      const absl::string_view given = argument.substr(0, argument.find('='));
      return given == name || given == absl::StrCat("no-", name);
    });
  };
  std::vector<Setting> settings;
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_single_name();
    if (IsCommand(name)) continue;
    Setting& setting = settings.emplace_back();
    setting.name = name;
    const auto variable = VariableFor(name, environment);
    if (is_flag(name)) {
      setting.source = "the command line";
    } else if (variable.has_value()) {
      setting.source = variable->first;
    } else if (const auto line = lines.find(name); line != lines.end()) {
      setting.source = absl::StrCat(ShownValue("config", app.get_config_ptr()->as<std::string>()),
                                    ", line ", line->second);
    }
    setting.value = ShownValue(
        name, option->count() > 0 ? option->results().back() : option->get_default_str());
  }
  return settings;
}

// Fills `raw`, which Declare bound to `app`; nullopt: go on.
std::optional<EarlyExit> Parse(CLI::App& app, const std::vector<std::string>& arguments,
                               const Environment& environment) {
  try {
    std::vector<std::string> all = ArgumentsFrom(app, environment);
    all.insert(all.end(), arguments.begin(), arguments.end());
    all = WithEmptyValues(app, all);
    std::reverse(all.begin(), all.end());  // CLI11 takes them from the back
    app.parse(all);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{0, std::string(absl::StripTrailingAsciiWhitespace(app.help()))};
  } catch (const CLI::CallForVersion&) {
    return EarlyExit{0, app.version()};
  } catch (const CLI::ExtrasError&) {
    return Unusable(absl::InvalidArgumentError(Unexpected(app, app.remaining())));
  } catch (const CLI::FileError&) {
    return Unusable(Explained(ConfigUnreadable(app.get_config_ptr()->as<std::string>()),
                              SettingsOf(app, arguments, environment, {})));
  } catch (const CLI::ParseError& error) {
    const absl::Status status = absl::InvalidArgumentError(Readable(error));
    if (IsWithoutValue(error)) return Unusable(status);
    return Unusable(Explained(status, SettingsOf(app, arguments, environment, {})));
  }
}

absl::StatusOr<Options::Check> CheckFrom(absl::string_view text) {
  if (text.empty()) return Options::Check::kFiles;
  if (text == "online") return Options::Check::kOnline;
  return absl::InvalidArgumentError("must stand alone, or with `online`: --check=online");
}

}  // namespace

std::variant<Options, EarlyExit> ReadOptions(const std::vector<std::string>& arguments,
                                             const Environment& environment,
                                             const std::vector<std::string>& variables) {
  RawOptions raw;
  CLI::App app("Reads Cloudflare packet captures for gRPC callers, typed and cached.",
               "pcap-gateway");
  app.option_defaults()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->always_capture_default();
  app.set_version_flag("--version",
                       absl::StrCat("pcap-gateway ", PCAP_GATEWAY_VERSION, "\ngRPC ",
                                    PCAP_GATEWAY_GRPC_BUILD, "\nRedis over TLS (rediss://): ",
                                    HasRedisTls() ? "yes" : "no, hiredis_ssl is not there",
                                    "\nSpans (OpenTelemetry): ",
                                    HasTracing() ? "yes" : "no, opentelemetry-cpp is not there"));
  app.set_config("--config", "", "File of `name = value` lines, one an option");
  std::map<std::string, int> lines;
  app.config_formatter(std::make_shared<OptionFile>(app, lines));
  app.footer(
      "Each option is also an environment variable, PCAP_GATEWAY_ and its name in capitals with _ "
      "for -,\nand a line of the --config file. Flags come first, then the environment, then the "
      "file.");
  Declare(app, raw);

  if (std::optional<EarlyExit> exit = Parse(app, arguments, environment)) return *std::move(exit);
  std::vector<Setting> settings = SettingsOf(app, arguments, environment, lines);
  absl::StatusOr<Options> options = Finalise(raw, environment);
  if (options.ok() && app.get_option("--check")->count() > 0) {
    const absl::Status status = Put("check", CheckFrom(raw.check), options->check);
    if (!status.ok()) options = status;
  }
  if (!options.ok()) return Unusable(Explained(options.status(), settings));
  options->settings = std::move(settings);
  for (std::string& warning : UnknownVariables(variables, NamesOf(app))) {
    options->warnings.push_back(std::move(warning));
  }
  options->admin_listen_is_explicit = app.get_option("--admin-listen")->count() > 0;
  options->upstream_limit_is_explicit = app.get_option("--upstream-limit")->count() > 0;
  return *std::move(options);
}

}  // namespace pcap_gateway
