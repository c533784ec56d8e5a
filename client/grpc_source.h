// GrpcSource: one call's stream of messages, pulled one at a time.
//
// gRPC reads the next message when it is pulled, so flow control reaches the sender.
#ifndef PCAP_GATEWAY_CLIENT_GRPC_SOURCE_H_
#define PCAP_GATEWAY_CLIENT_GRPC_SOURCE_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>

#include <memory>
#include <optional>
#include <utility>

#include "client/call.h"
#include "client/grpc_thread.h"
#include "pcap_client/message_stream.h"
#include "service/base/mutex.h"

namespace pcap_client {

template <typename Request, typename Response>
class GrpcSource final : public MessageStream<Response>::Source,
                         public std::enable_shared_from_this<GrpcSource<Request, Response>>,
                         private grpc::ClientReadReactor<Response> {
 public:
  using Next = MessageStream<Response>::Source::Next;

  // `client` keeps `channel`.
  GrpcSource(std::shared_ptr<const void> client, grpc::Channel& channel, Request request)
      : client_(std::move(client)), channel_(channel), request_(std::move(request)) {}

  // Once. `begin(context, request, reactor)` hands the call to a stub.
  template <typename Begin>
  void Start(const CallOptions& options, const Begin& begin) {
    std::optional<CallError> error = WhatIsWrongWith(request_);
    if (!error.has_value()) error = Prepare(absl::InfiniteDuration(), options, context_);
    if (error.has_value()) {
      const pcap_gateway::Lock lock(mutex_);
      outcome_ = *std::move(error);
      return;
    }
    self_ = this->shared_from_this();
    grpc::ClientReadReactor<Response>* const reactor = this;
    begin(&context_, &request_, reactor);
    this->AddHold();  // as reads are started from outside; until there are no more
    this->StartCall();
  }

  void Pull(Next next) override {
    if (HasEnded()) return std::move(next)(std::nullopt);
    {
      const pcap_gateway::Lock lock(mutex_);
      next_ = std::move(next);
    }
    this->StartRead(&message_);
  }

  // Thread-safe; before the call has begun, as well.
  void Cancel() override { context_.TryCancel(); }

  CallResult<AnswerInfo> Outcome() const override {
    const pcap_gateway::Lock lock(mutex_);
    if (outcome_.has_value()) return *outcome_;
    return CallError{.message = "the call has not ended"};
  }

 private:
  void OnReadDone(bool ok) override {
    const GrpcThread here;
    if (!ok) {
      this->RemoveHold();
      return;
    }
    Next next = TakeNext();
    std::move(next)(std::exchange(message_, Response()));
  }

  void OnDone(const grpc::Status& status) override {
    const GrpcThread here;
    {
      const pcap_gateway::Lock lock(mutex_);
      if (status.ok()) {
        outcome_ = AnswerInfoOf(context_);
      } else {
        outcome_ = CallErrorOf(status, context_, channel_);
      }
    }
    Next next = TakeNext();
    // Before whoever waits for `next` may let the client go: then it ends there, not here.
    std::exchange(self_, nullptr).reset();
    std::move(next)(std::nullopt);
  }

  // There is one: nothing is read, and nothing ends, unless it is pulled.
  Next TakeNext() {
    const pcap_gateway::Lock lock(mutex_);
    return std::exchange(next_, nullptr);
  }

  bool HasEnded() const {
    const pcap_gateway::Lock lock(mutex_);
    return outcome_.has_value();
  }

  const std::shared_ptr<const void> client_;
  grpc::Channel& channel_;
  const Request request_;
  grpc::ClientContext context_;
  Response message_;                  // what is being read
  std::shared_ptr<GrpcSource> self_;  // from the start of the call to its end

  mutable pcap_gateway::Mutex mutex_;
  Next next_ ABSL_GUARDED_BY(mutex_);
  std::optional<CallResult<AnswerInfo>> outcome_
      ABSL_GUARDED_BY(mutex_);  // absent: it has not ended
};

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_GRPC_SOURCE_H_
