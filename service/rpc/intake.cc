#include "service/rpc/intake.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"
#include "service/rpc/call_headers.h"

namespace pcap_gateway {
namespace {

absl::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

Error Disabled(const Method& method) {
  return Error(
      absl::StatusCode::kPermissionDenied, Reason::kMethodDisabled,
      method.permission == Permission::kWrite
          ? "this gateway only reads at Cloudflare; its operator allows more with --allow=write"
          : "this gateway does not download; its operator allows it with --allow=download");
}

}  // namespace

Intake::Intake(const CallEnvironment& environment, const Method& method,
               grpc::ServerContext& context)
    : environment_(environment), method_(method), context_(context) {}

std::optional<Error> Intake::CheckCaller() {
  began = std::chrono::steady_clock::now();
  gate_.emplace(environment_.policy, context_, method_.path);
  std::optional<Error> error;
  if (environment_.certificates) error = CheckCertificate(context_);
  if (!error.has_value()) error = gate_->CheckCall();
  if (!error.has_value() && !environment_.allowed.Has(method_.permission)) {
    error = Disabled(method_);
  }
  return error;
}

std::optional<Error> Intake::Read(const grpc::ByteBuffer& request) {
  std::optional<Error> error = method_.read(request, environment_.defaults, query);
  if (!error.has_value() && gate_.has_value()) error = gate_->CheckAccount(query.account);
  std::optional<Error> metadata_error = ReadMetadata();
  return error.has_value() ? error : metadata_error;
}

std::optional<Error> Intake::ReadMetadata() {
  CallHeaders headers;
  for (const auto& [key, value] : context_.client_metadata()) headers.Read(View(key), View(value));
  query.max_age = std::min(query.max_age, headers.cache_control().max_age);
  query.only_if_cached = headers.cache_control().only_if_cached;
  query.trace = headers.trace();
  request_id = query.trace.request_id;
  if (environment_.tracer != nullptr) {
    span = environment_.tracer->Begin(method_.path, began, query.trace);
  }
  query.credential = environment_.service_credential.Get();
  if (query.credential != nullptr) return std::nullopt;
  auto credential = headers.credential();
  if (auto* const error = std::get_if<Error>(&credential)) return std::move(*error);
  query.credential = std::get<std::shared_ptr<const Credential>>(std::move(credential));
  return std::nullopt;
}

void Intake::PrepareToAsk() {
  query.requests_sent = std::make_shared<std::atomic<int>>(0);
  query.deadline = Deadline();
  query.caller = std::make_shared<const std::string>(CallerNameOf(PrincipalName(), context_));
}

void Intake::NameCall() {
  if (request_id.empty()) request_id = NewRequestId();
}

std::string Intake::PrincipalName() const {
  return environment_.certificates ? PrincipalsOf(context_).Name() : std::string();
}

// By the source's clock: the machine's may be set while the call waits, or have been set long ago.
absl::Time Intake::Deadline() const {
  const auto deadline = context_.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteFuture();
  // Not absl::Now(), which notices up to two seconds later that the clock was set.
  return environment_.clock.Now() + absl::FromChrono(deadline - std::chrono::system_clock::now());
}

}  // namespace pcap_gateway
