#include "service/option_rules.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/option_values.h"
#include "service/settings.h"
#include "service/tracing/tracing.h"

namespace pcap_gateway {
namespace {

absl::Status Refused(absl::string_view option, absl::string_view why) {
  return OfOption(option, absl::InvalidArgumentError(why));
}

absl::StatusOr<std::shared_ptr<const Credential>> CredentialFromFile(const std::string& path) {
  const absl::StatusOr<std::string> token = ContentOf(path, kMostTokenFileBytes);
  if (!token.ok()) return OfOption("api-token-file", token.status());
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

absl::Status FinishCredential(const Environment& environment, OptionDraft& draft) {
  const bool waits = draft.ready == Options::Ready::kCredential;
  if (draft.callers_bring_credentials) {
    if (!draft.api_token_file.empty()) {
      return Refused("api-token-file", "has no use with --credential=caller");
    }
    if (!waits) return absl::OkStatus();
    return Refused("ready", "with --credential=caller there is no credential to wait for");
  }
  auto credential = ServiceCredential(draft.api_token_file, environment);
  if (!credential.ok()) return credential.status();
  draft.service_credential = *std::move(credential);
  return absl::OkStatus();
}

absl::Status FinishUpstream(OptionDraft& draft) {
  absl::StatusOr<std::string> url = BaseUrlFrom(draft.upstream_url, draft.allow_http_upstream);
  if (!url.ok()) return OfOption("upstream-url", url.status());
  draft.upstream_url = *std::move(url);
  const int64_t limit = draft.upstream_limit;
  draft.upstream_reserve = draft.reserve.value_or(limit / 5);
  if (limit > 0 && draft.upstream_reserve >= limit) {
    return Refused("upstream-reserve", "must be less than --upstream-limit");
  }
  if (limit > 0 && draft.caller_hold.value_or(0) >= limit) {
    return Refused("caller-hold", "must be less than --upstream-limit");
  }
  // Who asks for no bound upstream asks something else than Cloudflare.
  draft.upstream_address_limit = draft.address_limit.value_or(limit == 0 ? 0 : 200);
  return absl::OkStatus();
}

// The files are read with each new connection; that one is of no use should not wait till then.
absl::Status CheckRedis(const Options& options) {
  const bool tls = options.redis_url.has_value() && options.redis_url->tls;
  const RedisTlsFiles& files = options.redis_tls_files;
  const std::pair<const char*, const std::string&> paths[] = {
      {"redis-ca-file", files.ca_file},
      {"redis-cert-file", files.cert_file},
      {"redis-key-file", files.key_file},
  };
  for (const auto& [option, path] : paths) {
    if (path.empty() || tls) continue;
    return Refused(option, "has no use without a --redis-url of rediss://");
  }
  if (files.cert_file.empty() != files.key_file.empty()) {
    return Refused(files.cert_file.empty() ? "redis-cert-file" : "redis-key-file",
                   "a certificate and its key belong together");
  }
  if (!tls) return absl::OkStatus();
  // Alone first, so that what is wrong with the other two is theirs.
  const absl::Status authorities = RedisTls::Load({.ca_file = files.ca_file}).status();
  if (!authorities.ok()) return OfOption("redis-ca-file", authorities);
  const absl::Status shown = RedisTls::Load(files).status();
  const bool is_of_key = absl::StartsWith(shown.message(), absl::StrCat(files.key_file, ": "));
  return OfOption(is_of_key ? "redis-key-file" : "redis-cert-file", shown);
}

absl::Status CheckLifetimes(const FreshnessPolicy& freshness) {
  if (freshness.longest_moving_lifetime >= freshness.moving_lifetime) return absl::OkStatus();
  return Refused("longest-moving-lifetime", "must not be less than --moving-lifetime");
}

// Whose files they are is checked when they are read.
absl::Status CheckAccess(const OptionDraft& draft) {
  const bool tls = !draft.tls_cert_file.empty();
  if (tls != !draft.tls_key_file.empty()) {
    return Refused(tls ? "tls-key-file" : "tls-cert-file",
                   "a certificate and its key belong together");
  }
  if (!tls && !draft.tls_client_ca_file.empty()) {
    return Refused("tls-client-ca-file", "has no use without --tls-cert-file and --tls-key-file");
  }
  if (tls || draft.insecure || ListensOnLoopback(draft.listen)) return absl::OkStatus();
  return Refused("listen",
                 "callers on other machines need TLS: give --tls-cert-file and --tls-key-file, or "
                 "say --insecure");
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

absl::Status FinishTracing(const Environment& environment, OptionDraft& draft) {
  // By name, as OpenTelemetry has it: the signal's own endpoint comes before the common one.
  std::string url = draft.otlp_traces_endpoint;
  if (url.empty() && !draft.otlp_endpoint.empty()) url = draft.otlp_endpoint + "/v1/traces";
  if (url.empty() ||
      absl::EqualsIgnoreCase(CommonVariable(environment, "OTEL_SDK_DISABLED"), "true") ||
      CommonVariable(environment, "OTEL_TRACES_EXPORTER") == "none") {
    return absl::OkStatus();
  }
  const absl::StatusOr<Sampling> sampling = SamplingFrom(draft.traces_sampler);
  if (!sampling.ok()) return OfOption("traces-sampler", sampling.status());
  draft.sampling = *sampling;
  if (TakesShare(draft.traces_sampler) && !draft.traces_sampler_arg.empty()) {
    const absl::StatusOr<double> share = FractionFrom(draft.traces_sampler_arg);
    if (!share.ok()) return OfOption("traces-sampler-arg", share.status());
    draft.sampling.share = *share;
  }
  std::string why_none = WhyNoSpans(environment);
  if (why_none.empty()) {
    draft.traces_url = std::move(url);
  } else {
    draft.warnings.push_back(std::move(why_none));
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view CommonVariable(const Environment& environment, const char* name) {
  const char* const value = environment(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<Options> OptionsFrom(OptionDraft draft, const Environment& environment) {
  absl::Status status = CheckAccess(draft);
  status.Update(CheckLifetimes(draft.freshness));
  status.Update(CheckRedis(draft));
  status.Update(FinishUpstream(draft));
  status.Update(FinishTracing(environment, draft));
  status.Update(FinishCredential(environment, draft));
  if (!status.ok()) return status;
  return static_cast<Options&&>(draft);
}

}  // namespace pcap_gateway
