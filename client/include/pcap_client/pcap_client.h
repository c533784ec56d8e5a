// PcapClient: Cloudflare packet captures through a pcap-gateway.
//
//   absl::StatusOr<PcapClient> client = PcapClient::Create({.target = "pcap-gateway:50051"});
//   if (!client.ok()) return client.status();
//
//   pcap::v1::GetPcapRequest request;
//   request.set_pcap_id("3d2b8c5f1a7e4960b1c2d3e4f5a60718");
//   CallResult<GetPcapAnswer> result = client->GetPcap(request, {.timeout = absl::Seconds(2)});
//   if (!result.ok()) {
//     if (result.error().reason == "PCAP_NOT_FOUND") return NoSuchCapture();
//     return result.error().ToStatus();
//   }
//   if (result->response.pcap().has_full()) Use(result->response.pcap().full());
//
// One client is enough for a program: it is thread-safe, and all its calls share one connection,
// which is opened by the first call and reopened when lost. Copies share it too.
//
// This header, and those it includes, know nothing of gRPC.
#ifndef PCAP_CLIENT_PCAP_CLIENT_H_
#define PCAP_CLIENT_PCAP_CLIENT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pcap/v1/pcap_ownership_service.pb.h"
#include "pcap/v1/pcap_service.pb.h"
#include "pcap_client/answer.h"
#include "pcap_client/call_result.h"
#include "pcap_client/message_stream.h"
#include "pcap_client/retry_policy.h"

namespace pcap_client {

// Members of the options all have initializers, so that whoever names some of them
// ({.target = "…"}) has no warning about the others.

// How the gateway's certificate is checked, and ours shown. All PEM texts, not file names.
struct TlsOptions {
  std::string root_certificates{};  // whom to trust; empty: the system's authorities
  std::string certificate_chain{};  // our own, for mutual TLS; together with `private_key`
  std::string private_key{};
  std::string server_name{};  // what the gateway's certificate says; empty: the target's host
};

struct ClientOptions {
  // HOST:PORT, or another gRPC target such as dns:///HOST:PORT or unix:PATH.
  std::string target = "127.0.0.1:50051";

  // Absent: plaintext, for a trusted network.
  std::optional<TlsOptions> tls{};

  // A call's deadline, all attempts together, unless its CallOptions say otherwise; more than 0.
  // absl::InfiniteDuration(): none. Streams have none unless their CallOptions say one.
  absl::Duration timeout = absl::Seconds(10);

  RetryPolicy retry{};

  // The connection is probed when nothing was heard for this long, so that a peer that vanished is
  // noticed before the next call needs it. The gateway closes connections that are probed more than
  // every 30 s, so that is the least.
  absl::Duration keepalive_interval = absl::Seconds(60);

  // Whether http_proxy, https_proxy and no_proxy of the environment count. gRPC's own default is
  // yes; an internal service is rarely meant to be asked through the way out.
  bool proxy_from_environment = false;

  // Leads the `user-agent` header: NAME/VERSION of the program. Printable ASCII.
  std::string user_agent{};
};

// What differs from call to call.
struct CallOptions {
  // From now on, all attempts together, more than 0. Absent: the client's; of a stream: none.
  std::optional<absl::Duration> timeout{};

  // Request metadata, such as {"x-request-id", …}, {"traceparent", …}, {"cache-control",
  // "no-cache"}, or the Cloudflare credential where the gateway takes the caller's:
  // {"authorization", "Bearer …"}. Keys of [0-9a-z_.-]; values of printable ASCII. Anything else
  // makes the call fail with kInvalidArgument before it leaves (gRPC 1.51 would end the process).
  std::vector<std::pair<std::string, std::string>> metadata{};
};

using GetPcapAnswer = Answer<pcap::v1::GetPcapResponse>;
using ListPcapsAnswer = Answer<pcap::v1::ListPcapsResponse>;
using CreatePcapAnswer = Answer<pcap::v1::CreatePcapResponse>;
using StopPcapAnswer = Answer<pcap::v1::StopPcapResponse>;
using ListOwnershipsAnswer = Answer<pcap::v1::ListOwnershipsResponse>;
using CreateOwnershipAnswer = Answer<pcap::v1::CreateOwnershipResponse>;
using ValidateOwnershipAnswer = Answer<pcap::v1::ValidateOwnershipResponse>;
using DeleteOwnershipAnswer = Answer<pcap::v1::DeleteOwnershipResponse>;
using DownloadStream = MessageStream<pcap::v1::DownloadPcapResponse>;
using WatchStream = MessageStream<pcap::v1::WatchPcapsResponse>;

// grpc.health.v1.HealthCheckResponse.ServingStatus.
enum class Health { kUnknown, kServing, kNotServing };

// A call in flight, from its starter's side. Dropping it cancels nothing.
class PendingCall {
 public:
  PendingCall() = default;
  explicit PendingCall(std::function<void()> cancel) : cancel_(std::move(cancel)) {}

  // Ends the call soon, with kCancelled; no effect on one that has ended. Thread-safe.
  void Cancel() const {
    if (cancel_) cancel_();
  }

 private:
  std::function<void()> cancel_;
};

class PcapClient {
 public:
  template <typename Response>
  using Done = absl::AnyInvocable<void(CallResult<Answer<Response>>) &&>;
  template <typename Response>
  using OnMessage = absl::AnyInvocable<void(Response)>;
  using OnEnd = absl::AnyInvocable<void(CallResult<AnswerInfo>) &&>;

  // Does not connect yet. kInvalidArgument names the option that cannot work.
  static absl::StatusOr<PcapClient> Create(const ClientOptions& options);

  // Calls with one answer. Each of them blocks until the answer, an error, or the deadline.
  //
  // The same with Async at its name does not: `done` runs exactly once, on a thread of gRPC's,
  // where it must not block, or, if the request cannot be sent at all, before the function returns.
  // The client may go while calls are in flight; `done` still runs.

  // Gets one capture.
  CallResult<GetPcapAnswer> GetPcap(const pcap::v1::GetPcapRequest& request,
                                    const CallOptions& options = {}) const;
  PendingCall GetPcapAsync(const pcap::v1::GetPcapRequest& request, const CallOptions& options,
                           Done<pcap::v1::GetPcapResponse> done) const;

  // Lists an account's captures.
  CallResult<ListPcapsAnswer> ListPcaps(const pcap::v1::ListPcapsRequest& request,
                                        const CallOptions& options = {}) const;
  PendingCall ListPcapsAsync(const pcap::v1::ListPcapsRequest& request, const CallOptions& options,
                             Done<pcap::v1::ListPcapsResponse> done) const;

  // Makes a capture. A write: never tried again by itself, whatever the retry policy says. kUnknown
  // (OUTCOME_UNKNOWN), kUnavailable, kDeadlineExceeded and kCancelled leave open whether there is
  // one now; whoever asks again with the same `request_id` makes no second one.
  CallResult<CreatePcapAnswer> CreatePcap(const pcap::v1::CreatePcapRequest& request,
                                          const CallOptions& options = {}) const;
  PendingCall CreatePcapAsync(const pcap::v1::CreatePcapRequest& request,
                              const CallOptions& options,
                              Done<pcap::v1::CreatePcapResponse> done) const;

  // Stops a full capture. A write, too; stopping twice is as stopping once.
  CallResult<StopPcapAnswer> StopPcap(const pcap::v1::StopPcapRequest& request,
                                      const CallOptions& options = {}) const;
  PendingCall StopPcapAsync(const pcap::v1::StopPcapRequest& request, const CallOptions& options,
                            Done<pcap::v1::StopPcapResponse> done) const;

  // Lists the buckets that full captures are written to.
  CallResult<ListOwnershipsAnswer> ListOwnerships(const pcap::v1::ListOwnershipsRequest& request,
                                                  const CallOptions& options = {}) const;
  PendingCall ListOwnershipsAsync(const pcap::v1::ListOwnershipsRequest& request,
                                  const CallOptions& options,
                                  Done<pcap::v1::ListOwnershipsResponse> done) const;

  // Names a bucket. A write.
  CallResult<CreateOwnershipAnswer> CreateOwnership(const pcap::v1::CreateOwnershipRequest& request,
                                                    const CallOptions& options = {}) const;
  PendingCall CreateOwnershipAsync(const pcap::v1::CreateOwnershipRequest& request,
                                   const CallOptions& options,
                                   Done<pcap::v1::CreateOwnershipResponse> done) const;

  // Sends the proof that a bucket is the account's own. A write.
  CallResult<ValidateOwnershipAnswer> ValidateOwnership(
      const pcap::v1::ValidateOwnershipRequest& request, const CallOptions& options = {}) const;
  PendingCall ValidateOwnershipAsync(const pcap::v1::ValidateOwnershipRequest& request,
                                     const CallOptions& options,
                                     Done<pcap::v1::ValidateOwnershipResponse> done) const;

  // Takes a bucket away. A write: the second time it is kNotFound.
  CallResult<DeleteOwnershipAnswer> DeleteOwnership(const pcap::v1::DeleteOwnershipRequest& request,
                                                    const CallOptions& options = {}) const;
  PendingCall DeleteOwnershipAsync(const pcap::v1::DeleteOwnershipRequest& request,
                                   const CallOptions& options,
                                   Done<pcap::v1::DeleteOwnershipResponse> done) const;

  // Calls with a stream of messages. They have no deadline unless `options` say one.
  //
  // The same with Async at its name does not block: `on_message` takes the messages, one at a time,
  // on threads of gRPC's, and `on_end` runs exactly once, after the last of them. The next message
  // is read when `on_message` has returned. If the request cannot be sent at all, `on_end` runs
  // before the function returns. The client may go meanwhile.

  // Downloads the packets of a simple capture. A file that is cut off ends with kDataLoss or
  // another error; what came until then is a part of it.
  DownloadStream DownloadPcap(const pcap::v1::DownloadPcapRequest& request,
                              const CallOptions& options = {}) const;
  PendingCall DownloadPcapAsync(const pcap::v1::DownloadPcapRequest& request,
                                const CallOptions& options,
                                OnMessage<pcap::v1::DownloadPcapResponse> on_message,
                                OnEnd on_end) const;

  // Follows captures: each as it is at once, and then each time that it has changed. Ends once all
  // that were named are final; without ids it does not end by itself.
  //
  // Where the connection breaks, or the replica ends, it connects again, after the pauses of the
  // retry policy and as often as it takes, and tells no message twice. It ends with an error only
  // in two cases: no answer ever came, in all attempts of the policy (a wrong address does not mend
  // itself); or the gateway says an error that does not pass. A policy of one attempt has no second
  // connection.
  WatchStream WatchPcaps(const pcap::v1::WatchPcapsRequest& request,
                         const CallOptions& options = {}) const;
  PendingCall WatchPcapsAsync(const pcap::v1::WatchPcapsRequest& request,
                              const CallOptions& options,
                              OnMessage<pcap::v1::WatchPcapsResponse> on_message,
                              OnEnd on_end) const;

  // Asks grpc.health.v1 about `service`; "" is the gateway as a whole. One attempt: no retries.
  // kNotFound: the gateway does not know the service.
  CallResult<Health> CheckHealth(const std::string& service, const CallOptions& options = {}) const;

 private:
  class Impl;  // gRPC is in there

  explicit PcapClient(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<const Impl> impl_;
};

}  // namespace pcap_client

#endif  // PCAP_CLIENT_PCAP_CLIENT_H_
