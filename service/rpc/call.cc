#include "service/rpc/call.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "service/rpc/open_streams.h"
#include "service/rpc/reply.h"
#include "service/rpc/stream_call.h"
#include "service/rpc/unary_call.h"

namespace pcap_gateway {
namespace {

Error NoRequest(bool cancelled) {
  if (cancelled) {
    return Error(absl::StatusCode::kCancelled, Reason::kCancelled,
                 "the caller cancelled the call before its request came");
  }
  return Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidRequest,
               "the call came without a request");
}

}  // namespace

absl::Duration TimeToAnswer(absl::Duration left) {
  // A fifth of a short deadline, at most 50 ms of a long one.
  return left - std::min(left / 5, absl::Milliseconds(50));
}

void Call::Take(const CallEnvironment& environment, const Method& method, OpenStreams& streams) {
  CallQueue& queue = streams.queue();
  if (queue.stopping()) return;
  Call* const call = method.feed == nullptr
                         ? static_cast<Call*>(new UnaryCall(environment, method, streams))
                         : new StreamCall(environment, method, streams);
  // gRPC tells of a call's end only if there was a call: `over_` comes after a good `arrived_`.
  call->context_.AsyncNotifyWhenDone(&call->over_);
  environment.service.Request(method, &call->context_, &call->responder_, &queue.queue(),
                              &call->arrived_);
}

Call::Call(const CallEnvironment& environment, const Method& method, OpenStreams& streams)
    : environment_(environment),
      method_(method),
      stats_(environment.stats.of[NumberOf(method)]),
      streams_(streams),
      queue_(streams.queue()) {}

void Call::Arrived(bool ok) {
  if (!ok) {
    delete this;
    return;
  }
  Take(environment_, method_, streams_);
  queue_.CallBegins();
  pending_events_ = 1;  // over_
  Begin();
}

// Who may not call is told so at once, whether or not the request is there.
void Call::Begin() {
  stats_.started.Add();
  if (std::optional<Error> error = intake_.CheckCaller()) return Refuse(*std::move(error));
  queue_.peers().MakeRoom();
  queue_.peers().Add(*this, intake_.began);
  EventBegins();
  responder_.Read(&request_, &read_);
}

void Call::WasRead(bool ok) {
  // Otherwise it was given up on.
  if (!finishing_) {
    queue_.peers().Remove(*this);
    if (!ok) {
      Refuse(NoRequest(context_.IsCancelled()));
    } else {
      stats_.received.Add();
      if (std::optional<Error> error = intake_.Read(request_)) {
        intake_.NameCall();
        Finish(FailedReply(*std::move(error)));
      } else {
        Answer();
      }
    }
  }
  EventIsOver();
}

void Call::GiveUp(Why why) {
  streams_.CountGivenUp(why);
  // It has its status already, and does not take it.
  if (finishing_) return context_.TryCancel();
  Refuse(GivenUp(why));
}

void Call::Refuse(Error error) {
  intake_.ReadMetadata();
  intake_.NameCall();
  Finish(FailedReply(std::move(error)));
}

void Call::Wait() {
  waiting_ = true;
  WatchDeadline();
}

void Call::WatchDeadline() {
  const auto deadline = context_.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return;
  const absl::Time now = absl::FromChrono(std::chrono::system_clock::now());
  const absl::Time answer_at = now + TimeToAnswer(absl::FromChrono(deadline) - now);
  EventBegins();
  alarm_.emplace();
  alarm_->Set(&queue_.queue(), absl::ToChronoTime(answer_at), &expired_);
}

void Call::Expired(bool ok) {
  if (ok) {
    EndEarly(Error(absl::StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
                   method_.feed == nullptr ? "the call's deadline passed before Cloudflare answered"
                                           : "the call's deadline passed before the stream ended"));
  }
  EventIsOver();
}

void Call::Over(bool) {
  if (context_.IsCancelled()) {
    EndEarly(
        Error(absl::StatusCode::kCancelled, Reason::kCancelled, "the caller cancelled the call"));
  }
  EventIsOver();
}

// The source then replies with CANCELLED, or with what it has: an answer that it had just got, or a
// stale one.
void Call::EndEarly(Error error) {
  if (!waiting_ || early_.has_value()) return;
  early_ = std::move(error);
  Leave();
}

Reply Call::WaitIsOver(Reply reply) {
  waiting_ = false;
  if (alarm_.has_value()) alarm_->Cancel();
  if (!early_.has_value()) return reply;
  const Outcome& outcome = *reply.outcome;
  // After a cancel nobody is there to take an answer, so none is to be counted as given.
  const bool answer_is_of_use =
      early_->code != absl::StatusCode::kCancelled &&
      (outcome.ok() || outcome.error->code != absl::StatusCode::kCancelled);
  return answer_is_of_use ? reply : FailedReply(*early_);
}

void Call::Finish(const Reply& reply) {
  const Outcome& outcome = *reply.outcome;
  const std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
  const absl::Duration duration = absl::FromChrono(now - intake_.began);
  stats_.CountHandled(outcome, duration);
  TellOfEnd(reply, duration);
  AddResponseMetadata(reply, intake_.request_id, method_.feed != nullptr, context_);
  finishing_ = true;
  queue_.peers().Add(*this, now);
  EventBegins();
  SendEnd(reply);
}

void Call::TellOfEnd(const Reply& reply, absl::Duration duration) const {
  if (environment_.observers.empty() && intake_.span == nullptr) return;
  const auto caller = [this] {
    return Caller{.address = std::string(context_.peer()), .principal = intake_.PrincipalName()};
  };
  const Query& query = intake_.query;
  const EndedCall call{
      .method = method_.path,
      .query = query,
      .reply = reply,
      .request_id = intake_.request_id,
      .duration = duration,
      .upstream_requests = query.requests_sent == nullptr ? 0 : query.requests_sent->load(),
      .streamed = streamed(),
      .caller = caller,
  };
  for (CallObserver* const observer : environment_.observers) observer->Ended(call);
  if (intake_.span != nullptr) intake_.span->End(call);
}

void Call::Finished(bool) {
  queue_.peers().Remove(*this);
  EventIsOver();
}

void Call::EventIsOver() {
  // While the call waits, its reply is yet to come, and with it `finished_`.
  if (--pending_events_ > 0 || waiting_) return;
  CallQueue& queue = queue_;
  delete this;
  queue.CallEnds();
}

}  // namespace pcap_gateway
