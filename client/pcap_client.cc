#include "pcap_client/pcap_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "client/call.h"
#include "client/grpc_source.h"
#include "client/grpc_thread.h"
#include "client/metadata_entry.h"
#include "client/service_config.h"
#include "client/watch_source.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "pcap/v1/pcap_ownership_service.grpc.pb.h"
#include "pcap/v1/pcap_service.grpc.pb.h"

namespace pcap_client {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using pcap::v1::CreateOwnershipRequest;
using pcap::v1::CreateOwnershipResponse;
using pcap::v1::CreatePcapRequest;
using pcap::v1::CreatePcapResponse;
using pcap::v1::DeleteOwnershipRequest;
using pcap::v1::DeleteOwnershipResponse;
using pcap::v1::DownloadPcapRequest;
using pcap::v1::DownloadPcapResponse;
using pcap::v1::GetPcapRequest;
using pcap::v1::GetPcapResponse;
using pcap::v1::ListOwnershipsRequest;
using pcap::v1::ListOwnershipsResponse;
using pcap::v1::ListPcapsRequest;
using pcap::v1::ListPcapsResponse;
using pcap::v1::PcapOwnershipService;
using pcap::v1::PcapService;
using pcap::v1::StopPcapRequest;
using pcap::v1::StopPcapResponse;
using pcap::v1::ValidateOwnershipRequest;
using pcap::v1::ValidateOwnershipResponse;
using pcap::v1::WatchPcapsRequest;
using pcap::v1::WatchPcapsResponse;

// What the gateway permits: service/rpc/server.cc.
constexpr absl::Duration kLeastKeepaliveInterval = absl::Seconds(30);
constexpr int kKeepaliveTimeoutMs = 20'000;

// An hour's outage must not leave the client waiting for two more minutes (gRPC's default).
constexpr int kMostReconnectBackoffMs = 10'000;

// The gateway's errors are at most 3 KiB, as base64 and beside the percent-encoded message up to
// twice that, which is just below gRPC's default of 8 KiB.
constexpr int kMostMetadataBytes = 16 << 10;

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

// Of a call that has ended with `status`.
template <typename Response>
CallResult<Answer<Response>> ResultOf(const grpc::Status& status, Response response,
                                      const grpc::ClientContext& context, grpc::Channel& channel) {
  if (!status.ok()) return CallErrorOf(status, context, channel);
  return Answer<Response>{std::move(response), AnswerInfoOf(context)};
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

// Hands on all messages of `source`, then how it ended.
template <typename Response>
void HandOn(std::shared_ptr<typename MessageStream<Response>::Source> source,
            PcapClient::OnMessage<Response> on_message, PcapClient::OnEnd on_end) {
  auto& from = *source;
  from.Pull([source = std::move(source), on_message = std::move(on_message),
             on_end = std::move(on_end)](std::optional<Response> message) mutable {
    if (!message.has_value()) {
      CallResult<AnswerInfo> outcome = source->Outcome();
      source.reset();  // as whoever waits for `on_end` may let the client go
      std::move(on_end)(std::move(outcome));
      return;
    }
    on_message(*std::move(message));
    HandOn<Response>(std::move(source), std::move(on_message), std::move(on_end));
  });
}

}  // namespace

class PcapClient::Impl : public std::enable_shared_from_this<PcapClient::Impl> {
 public:
  using AsyncPcaps = PcapService::StubInterface::async_interface;
  using AsyncOwnerships = PcapOwnershipService::StubInterface::async_interface;

  explicit Impl(const ClientOptions& options)
      : options(options),
        channel(grpc::CreateCustomChannel(options.target, CredentialsOf(options),
                                          ChannelArgumentsOf(options))),
        pcap(PcapService::NewStub(channel)),
        ownership(PcapOwnershipService::NewStub(channel)),
        health(grpc::health::v1::Health::NewStub(channel)) {}

  // Makes one call and waits for it.
  template <typename Stub, typename Request, typename Response>
  CallResult<Answer<Response>> CallAndWait(Stub& stub,
                                           grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                        const Request&, Response*),
                                           const Request& request, const CallOptions& call) const {
    if (auto error = WhatIsWrongWith(request)) return *std::move(error);
    grpc::ClientContext context;
    if (auto error = Prepare(options.timeout, call, context)) return *std::move(error);
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    return ResultOf(status, std::move(response), context, *channel);
  }

  // Starts one call.
  template <typename Stub, typename Request, typename Response>
  PendingCall Start(Stub& stub,
                    void (Stub::*method)(grpc::ClientContext*, const Request*, Response*,
                                         std::function<void(grpc::Status)>),
                    const Request& request, const CallOptions& call_options,
                    Done<Response> done) const {
    auto call = std::make_shared<CallInFlight<Request, Response>>();
    std::optional<CallError> error = WhatIsWrongWith(request);
    if (!error.has_value()) error = Prepare(options.timeout, call_options, call->context);
    if (error.has_value()) {
      std::move(done)(*std::move(error));
      return PendingCall();
    }
    call->client = shared_from_this();
    call->request = request;
    call->done = std::move(done);
    (stub.*method)(&call->context, &call->request, &call->response,
                   [call, &channel = *channel](const grpc::Status& status) mutable {
                     const GrpcThread here;
                     auto done = std::move(call->done);
                     auto result =
                         ResultOf(status, std::move(call->response), call->context, channel);
                     // Before whoever waits for `done` may let the client go: then it ends there,
                     // not here.
                     call.reset();
                     std::move(done)(std::move(result));
                   });
    return PendingCall([call = std::move(call)] { call->context.TryCancel(); });
  }

  // Starts a call with a stream of messages.
  template <typename Stub, typename Request, typename Response>
  std::shared_ptr<GrpcSource<Request, Response>> StartStream(
      Stub& stub,
      void (Stub::*method)(grpc::ClientContext*, const Request*,
                           grpc::ClientReadReactor<Response>*),
      const Request& request, const CallOptions& call) const {
    auto source =
        std::make_shared<GrpcSource<Request, Response>>(shared_from_this(), *channel, request);
    source->Start(call, [&](auto*... arguments) { (stub.*method)(arguments...); });
    return source;
  }

  std::shared_ptr<WatchSource> StartWatch(const WatchPcapsRequest& request,
                                          const CallOptions& call) const {
    return std::make_shared<WatchSource>(
        [self = shared_from_this(), request, call](absl::Duration timeout) {
          CallOptions one = call;
          one.timeout = timeout;
          return self->StartStream<AsyncPcaps>(*self->pcap->async(), &AsyncPcaps::WatchPcaps,
                                               request, one);
        },
        options.retry, absl::Now() + call.timeout.value_or(absl::InfiniteDuration()));
  }

  const ClientOptions options;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<PcapService::Stub> pcap;
  const std::unique_ptr<PcapOwnershipService::Stub> ownership;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

absl::StatusOr<PcapClient> PcapClient::Create(const ClientOptions& options) {
  if (absl::Status status = Validate(options); !status.ok()) return status;
  return PcapClient(std::shared_ptr<const Impl>(new Impl(options), DestroyOffGrpcThreads<Impl>));
}

CallResult<GetPcapAnswer> PcapClient::GetPcap(const GetPcapRequest& request,
                                              const CallOptions& options) const {
  return impl_->CallAndWait(*impl_->pcap, &PcapService::Stub::GetPcap, request, options);
}

PendingCall PcapClient::GetPcapAsync(const GetPcapRequest& request, const CallOptions& options,
                                     Done<GetPcapResponse> done) const {
  return impl_->Start<Impl::AsyncPcaps>(*impl_->pcap->async(), &Impl::AsyncPcaps::GetPcap, request,
                                        options, std::move(done));
}

CallResult<ListPcapsAnswer> PcapClient::ListPcaps(const ListPcapsRequest& request,
                                                  const CallOptions& options) const {
  return impl_->CallAndWait(*impl_->pcap, &PcapService::Stub::ListPcaps, request, options);
}

PendingCall PcapClient::ListPcapsAsync(const ListPcapsRequest& request, const CallOptions& options,
                                       Done<ListPcapsResponse> done) const {
  return impl_->Start<Impl::AsyncPcaps>(*impl_->pcap->async(), &Impl::AsyncPcaps::ListPcaps,
                                        request, options, std::move(done));
}

CallResult<CreatePcapAnswer> PcapClient::CreatePcap(const CreatePcapRequest& request,
                                                    const CallOptions& options) const {
  return impl_->CallAndWait(*impl_->pcap, &PcapService::Stub::CreatePcap, request, options);
}

PendingCall PcapClient::CreatePcapAsync(const CreatePcapRequest& request,
                                        const CallOptions& options,
                                        Done<CreatePcapResponse> done) const {
  return impl_->Start<Impl::AsyncPcaps>(*impl_->pcap->async(), &Impl::AsyncPcaps::CreatePcap,
                                        request, options, std::move(done));
}

CallResult<StopPcapAnswer> PcapClient::StopPcap(const StopPcapRequest& request,
                                                const CallOptions& options) const {
  return impl_->CallAndWait(*impl_->pcap, &PcapService::Stub::StopPcap, request, options);
}

PendingCall PcapClient::StopPcapAsync(const StopPcapRequest& request, const CallOptions& options,
                                      Done<StopPcapResponse> done) const {
  return impl_->Start<Impl::AsyncPcaps>(*impl_->pcap->async(), &Impl::AsyncPcaps::StopPcap, request,
                                        options, std::move(done));
}

CallResult<ListOwnershipsAnswer> PcapClient::ListOwnerships(const ListOwnershipsRequest& request,
                                                            const CallOptions& options) const {
  return impl_->CallAndWait(*impl_->ownership, &PcapOwnershipService::Stub::ListOwnerships, request,
                            options);
}

PendingCall PcapClient::ListOwnershipsAsync(const ListOwnershipsRequest& request,
                                            const CallOptions& options,
                                            Done<ListOwnershipsResponse> done) const {
  return impl_->Start<Impl::AsyncOwnerships>(*impl_->ownership->async(),
                                             &Impl::AsyncOwnerships::ListOwnerships, request,
                                             options, std::move(done));
}

CallResult<CreateOwnershipAnswer> PcapClient::CreateOwnership(const CreateOwnershipRequest& request,
                                                              const CallOptions& options) const {
  return impl_->CallAndWait(*impl_->ownership, &PcapOwnershipService::Stub::CreateOwnership,
                            request, options);
}

PendingCall PcapClient::CreateOwnershipAsync(const CreateOwnershipRequest& request,
                                             const CallOptions& options,
                                             Done<CreateOwnershipResponse> done) const {
  return impl_->Start<Impl::AsyncOwnerships>(*impl_->ownership->async(),
                                             &Impl::AsyncOwnerships::CreateOwnership, request,
                                             options, std::move(done));
}

CallResult<ValidateOwnershipAnswer> PcapClient::ValidateOwnership(
    const ValidateOwnershipRequest& request, const CallOptions& options) const {
  return impl_->CallAndWait(*impl_->ownership, &PcapOwnershipService::Stub::ValidateOwnership,
                            request, options);
}

PendingCall PcapClient::ValidateOwnershipAsync(const ValidateOwnershipRequest& request,
                                               const CallOptions& options,
                                               Done<ValidateOwnershipResponse> done) const {
  return impl_->Start<Impl::AsyncOwnerships>(*impl_->ownership->async(),
                                             &Impl::AsyncOwnerships::ValidateOwnership, request,
                                             options, std::move(done));
}

CallResult<DeleteOwnershipAnswer> PcapClient::DeleteOwnership(const DeleteOwnershipRequest& request,
                                                              const CallOptions& options) const {
  return impl_->CallAndWait(*impl_->ownership, &PcapOwnershipService::Stub::DeleteOwnership,
                            request, options);
}

PendingCall PcapClient::DeleteOwnershipAsync(const DeleteOwnershipRequest& request,
                                             const CallOptions& options,
                                             Done<DeleteOwnershipResponse> done) const {
  return impl_->Start<Impl::AsyncOwnerships>(*impl_->ownership->async(),
                                             &Impl::AsyncOwnerships::DeleteOwnership, request,
                                             options, std::move(done));
}

DownloadStream PcapClient::DownloadPcap(const DownloadPcapRequest& request,
                                        const CallOptions& options) const {
  return DownloadStream(impl_->StartStream<Impl::AsyncPcaps>(
      *impl_->pcap->async(), &Impl::AsyncPcaps::DownloadPcap, request, options));
}

PendingCall PcapClient::DownloadPcapAsync(const DownloadPcapRequest& request,
                                          const CallOptions& options,
                                          OnMessage<DownloadPcapResponse> on_message,
                                          OnEnd on_end) const {
  auto source = impl_->StartStream<Impl::AsyncPcaps>(
      *impl_->pcap->async(), &Impl::AsyncPcaps::DownloadPcap, request, options);
  HandOn<DownloadPcapResponse>(source, std::move(on_message), std::move(on_end));
  return PendingCall([source = std::move(source)] { source->Cancel(); });
}

WatchStream PcapClient::WatchPcaps(const WatchPcapsRequest& request,
                                   const CallOptions& options) const {
  return WatchStream(impl_->StartWatch(request, options));
}

PendingCall PcapClient::WatchPcapsAsync(const WatchPcapsRequest& request,
                                        const CallOptions& options,
                                        OnMessage<WatchPcapsResponse> on_message,
                                        OnEnd on_end) const {
  auto source = impl_->StartWatch(request, options);
  HandOn<WatchPcapsResponse>(source, std::move(on_message), std::move(on_end));
  return PendingCall([source = std::move(source)] { source->Cancel(); });
}

CallResult<Health> PcapClient::CheckHealth(const std::string& service,
                                           const CallOptions& options) const {
  if (!IsPrintableAscii(service)) return InvalidCall("the service's name is not printable ASCII");
  HealthCheckRequest request;
  request.set_service(service);
  const auto result =
      impl_->CallAndWait(*impl_->health, &grpc::health::v1::Health::Stub::Check, request, options);
  if (!result.ok()) return result.error();
  return HealthOf(result->response.status());
}

}  // namespace pcap_client
