#include "pcap_client/pcap_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/grpc_thread.h"
#include "client/metadata_entry.h"
#include "client/service_config.h"
#include "client/status_details.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "pcap/v1/pcap_service.grpc.pb.h"

namespace pcap_client {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using pcap::v1::GetPcapRequest;
using pcap::v1::GetPcapResponse;
using pcap::v1::PcapService;

// What the gateway permits: service/rpc/server.cc.
constexpr absl::Duration kLeastKeepaliveInterval = absl::Seconds(30);
constexpr int kKeepaliveTimeoutMs = 20'000;

// An hour's outage must not leave the client waiting for two more minutes (gRPC's default).
constexpr int kMostReconnectBackoffMs = 10'000;

// The gateway's errors are at most 3 KiB, as base64 and beside the percent-encoded message up to
// twice that, which is just below gRPC's default of 8 KiB.
constexpr int kMostMetadataBytes = 16 << 10;

CallError InvalidCall(std::string message) {
  return {.code = absl::StatusCode::kInvalidArgument, .message = std::move(message)};
}

absl::Status Validate(const ClientOptions& options) {
  // Without a port gRPC would take 443.
  if (!absl::StrContains(options.target, ':') || !IsPrintableAscii(options.target) ||
      absl::StrContains(options.target, ' ')) {
    return absl::InvalidArgumentError("target is not HOST:PORT or another gRPC target");
  }
  if (absl::StartsWith(options.target, "http://") || absl::StartsWith(options.target, "https://")) {
    return absl::InvalidArgumentError("target is HOST:PORT, without http:// or https://");
  }
  if (options.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("timeout must be more than 0");
  }
  if (options.keepalive_interval < kLeastKeepaliveInterval) {
    return absl::InvalidArgumentError("keepalive_interval must be 30 s or more");
  }
  if (!IsPrintableAscii(options.user_agent)) {
    return absl::InvalidArgumentError("user_agent is not printable ASCII");
  }
  if (options.tls.has_value() &&
      options.tls->certificate_chain.empty() != options.tls->private_key.empty()) {
    return absl::InvalidArgumentError(
        "tls.certificate_chain and tls.private_key belong together: give both or neither");
  }
  return Validate(options.retry);
}

int MillisecondsOf(absl::Duration duration) {
  const int64_t milliseconds = absl::ToInt64Milliseconds(duration);
  return static_cast<int>(std::min<int64_t>(milliseconds, std::numeric_limits<int>::max()));
}

grpc::ChannelArguments ChannelArgumentsOf(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(ServiceConfigJson(options.retry));
  // The policy above is the caller's; a TXT record must not replace it.
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, options.retry.max_attempts > 1 ? 1 : 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, MillisecondsOf(options.keepalive_interval));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // Idle connections are probed as well, and for as long as they are idle: it is they that
  // firewalls forget.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMostReconnectBackoffMs);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMostMetadataBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, options.proxy_from_environment ? 1 : 0);
  if (!options.user_agent.empty()) arguments.SetUserAgentPrefix(options.user_agent);
  if (options.tls.has_value() && !options.tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls->server_name);
  }
  return arguments;
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const ClientOptions& options) {
  if (!options.tls.has_value()) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({.pem_root_certs = options.tls->root_certificates,
                               .pem_private_key = options.tls->private_key,
                               .pem_cert_chain = options.tls->certificate_chain});
}

// What is wrong with the ids, as far as it must be known here: bytes that are not ASCII would be
// refused by protobuf, with an error that names no field. The gateway checks the rest.
std::optional<CallError> WhatIsWrongWith(const GetPcapRequest& request) {
  const std::pair<const char*, const std::string*> ids[] = {{"account_id", &request.account_id()},
                                                            {"pcap_id", &request.pcap_id()}};
  for (const auto& [field, id] : ids) {
    if (IsPrintableAscii(*id)) continue;
    CallError error = InvalidCall(absl::StrCat(field, " is not 32 lower-case hex digits"));
    error.field_violations.push_back({field, "has bytes that are not printable ASCII"});
    return error;
  }
  return std::nullopt;
}

// Readies `context` for one call, or says why the call cannot be made.
std::optional<CallError> Prepare(const ClientOptions& client, const CallOptions& call,
                                 grpc::ClientContext& context) {
  const absl::Duration timeout = call.timeout.value_or(client.timeout);
  if (timeout <= absl::ZeroDuration()) return InvalidCall("timeout must be more than 0");
  const absl::Time deadline = absl::Now() + timeout;
  if (deadline != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
  for (const auto& [key, value] : call.metadata) {
    std::string wrong = WhatIsWrongWithEntry(key, value);
    if (!wrong.empty()) return InvalidCall(std::move(wrong));
    context.AddMetadata(key, value);
  }
  return std::nullopt;
}

// The response metadata `key`; empty if there is none. `context` of a call that has ended.
std::string ResponseMetadata(const grpc::ClientContext& context, const char* key) {
  for (const auto* metadata :
       {&context.GetServerInitialMetadata(), &context.GetServerTrailingMetadata()}) {
    const auto found = metadata->find(key);
    if (found != metadata->end()) return {found->second.data(), found->second.size()};
  }
  return "";
}

AnswerInfo AnswerInfoOf(const grpc::ClientContext& context) {
  AnswerInfo info{.cache_status = ResponseMetadata(context, "cache-status"),
                  .request_id = ResponseMetadata(context, "x-request-id"),
                  .cf_ray = ResponseMetadata(context, "cf-ray")};
  uint32_t seconds = 0;
  if (absl::SimpleAtoi(ResponseMetadata(context, "age"), &seconds)) {
    info.age = absl::Seconds(seconds);
  }
  return info;
}

absl::StatusCode CodeOf(grpc::StatusCode code) {
  // The same numbers, by Abseil's promise.
  if (code > grpc::StatusCode::OK && code <= grpc::StatusCode::UNAUTHENTICATED) {
    return static_cast<absl::StatusCode>(code);
  }
  return absl::StatusCode::kUnknown;
}

// Of a call on `channel` that has ended so. Whoever said more than a code was reached.
bool HadNoConnection(const grpc::Status& status, grpc::Channel& channel) {
  const bool may_be = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return may_be && status.error_details().empty() &&
         channel.GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY;
}

CallError CallErrorOf(const grpc::Status& status, const grpc::ClientContext& context,
                      grpc::Channel& channel) {
  CallError error{.code = CodeOf(status.error_code()),
                  .message = status.error_message(),
                  .request_id = ResponseMetadata(context, "x-request-id"),
                  .cf_ray = ResponseMetadata(context, "cf-ray")};
  ReadStatusDetails(status.error_details(), error);
  error.no_connection = HadNoConnection(status, channel);
  if (error.no_connection && error.code == absl::StatusCode::kDeadlineExceeded) {
    error.message = "there was no connection to the gateway in time";
  }
  return error;
}

// Of a call that has ended with `status`.
template <typename Response>
CallResult<Answer<Response>> ResultOf(const grpc::Status& status, Response response,
                                      const grpc::ClientContext& context, grpc::Channel& channel) {
  if (!status.ok()) return CallErrorOf(status, context, channel);
  return Answer<Response>{std::move(response), AnswerInfoOf(context)};
}

// Makes one call and waits for it.
template <typename Stub, typename Request, typename Response>
CallResult<Answer<Response>> CallAndWait(Stub& stub,
                                         grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                      const Request&, Response*),
                                         const Request& request, const ClientOptions& client,
                                         const CallOptions& options, grpc::Channel& channel) {
  grpc::ClientContext context;
  if (auto error = Prepare(client, options, context)) return *std::move(error);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  return ResultOf(status, std::move(response), context, channel);
}

// What must live as long as a call in flight. Shared by gRPC's callback and the PendingCall.
template <typename Request, typename Response>
struct CallInFlight {
  // Keeps the stub, and the channel that `context` knows: it goes last.
  std::shared_ptr<const void> client;
  grpc::ClientContext context;
  Request request;
  Response response;
  PcapClient::Done<Response> done;
};

// Starts one call on `channel`, which `call->client` keeps. `start(context, request, response,
// on_status)` hands it to the stub.
template <typename Request, typename Response, typename Start>
PendingCall StartCall(std::shared_ptr<CallInFlight<Request, Response>> call,
                      const ClientOptions& client, const CallOptions& options,
                      grpc::Channel& channel, Start start) {
  if (auto error = Prepare(client, options, call->context)) {
    std::move(call->done)(*std::move(error));
    return PendingCall();
  }
  start(&call->context, &call->request, &call->response,
        [call, &channel](const grpc::Status& status) mutable {
          const GrpcThread here;
          auto done = std::move(call->done);
          auto result = ResultOf(status, std::move(call->response), call->context, channel);
          // Before whoever waits for `done` may let the client go: then it ends there, not here.
          call.reset();
          std::move(done)(std::move(result));
        });
  return PendingCall([call = std::move(call)] { call->context.TryCancel(); });
}

Health HealthOf(HealthCheckResponse::ServingStatus status) {
  switch (status) {
    case HealthCheckResponse::SERVING:
      return Health::kServing;
    case HealthCheckResponse::NOT_SERVING:
      return Health::kNotServing;
    default:
      return Health::kUnknown;
  }
}

}  // namespace

class PcapClient::Impl {
 public:
  explicit Impl(const ClientOptions& options)
      : options(options),
        channel(grpc::CreateCustomChannel(options.target, CredentialsOf(options),
                                          ChannelArgumentsOf(options))),
        pcap(PcapService::NewStub(channel)),
        health(grpc::health::v1::Health::NewStub(channel)) {}

  const ClientOptions options;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<PcapService::Stub> pcap;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

absl::StatusOr<PcapClient> PcapClient::Create(const ClientOptions& options) {
  if (absl::Status status = Validate(options); !status.ok()) return status;
  return PcapClient(std::shared_ptr<const Impl>(new Impl(options), DestroyOffGrpcThreads<Impl>));
}

CallResult<GetPcapAnswer> PcapClient::GetPcap(const GetPcapRequest& request,
                                              const CallOptions& options) const {
  if (auto error = WhatIsWrongWith(request)) return *std::move(error);
  return CallAndWait(*impl_->pcap, &PcapService::Stub::GetPcap, request, impl_->options, options,
                     *impl_->channel);
}

PendingCall PcapClient::GetPcapAsync(const GetPcapRequest& request, const CallOptions& options,
                                     Done<GetPcapResponse> done) const {
  if (auto error = WhatIsWrongWith(request)) {
    std::move(done)(*std::move(error));
    return PendingCall();
  }
  auto call = std::make_shared<CallInFlight<GetPcapRequest, GetPcapResponse>>();
  call->client = impl_;
  call->request = request;
  call->done = std::move(done);
  return StartCall(std::move(call), impl_->options, options, *impl_->channel,
                   [&](auto* context, auto* request, auto* response, auto on_status) {
                     impl_->pcap->async()->GetPcap(context, request, response,
                                                   std::move(on_status));
                   });
}

CallResult<Health> PcapClient::CheckHealth(const std::string& service,
                                           const CallOptions& options) const {
  if (!IsPrintableAscii(service)) return InvalidCall("the service's name is not printable ASCII");
  HealthCheckRequest request;
  request.set_service(service);
  const auto result = CallAndWait(*impl_->health, &grpc::health::v1::Health::Stub::Check, request,
                                  impl_->options, options, *impl_->channel);
  if (!result.ok()) return result.error();
  return HealthOf(result->response.status());
}

}  // namespace pcap_client
