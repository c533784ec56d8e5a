#include "service/rpc/call.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "service/rpc/reply.h"

namespace pcap_gateway {
namespace {

Error TooManyCalls() {
  Error error(absl::StatusCode::kResourceExhausted, Reason::kTooManyCalls,
              "as many calls wait for an answer in this gateway as may (--max-calls)");
  error.retry_after = absl::Seconds(1);
  return error;
}

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

void Call::Take(const CallEnvironment& environment, const Method& method, CallQueue& queue) {
  if (queue.stopping()) return;
  auto* const call = new Call(environment, method, queue);
  // gRPC tells of a call's end only if there was a call: `over_` comes after a good `arrived_`.
  call->context_.AsyncNotifyWhenDone(&call->over_);
  environment.service.Request(method, &call->context_, &call->responder_, &queue.queue(),
                              &call->arrived_);
}

Call::Call(const CallEnvironment& environment, const Method& method, CallQueue& queue)
    : environment_(environment),
      method_(method),
      stats_(environment.stats.of[NumberOf(method)]),
      queue_(queue) {}

void Call::Arrived(bool ok) {
  if (!ok) {
    delete this;
    return;
  }
  Take(environment_, method_, queue_);
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
  ++pending_events_;
  responder_.Read(&request_, &read_);
}

void Call::WasRead(bool ok) {
  // Otherwise it was given up on.
  if (!finishing_) {
    queue_.peers().Remove(*this);
    if (ok) {
      stats_.received.Add();
      Answer();
    } else {
      Refuse(NoRequest(context_.IsCancelled()));
    }
  }
  EventIsOver();
}

void Call::GiveUp(Why why) {
  StreamLimitStats& stats = environment_.stats.streams;
  (why == Why::kLate ? stats.late : stats.refused).Add();
  // It has its status already, and does not take it.
  if (finishing_) return context_.TryCancel();
  Refuse(GivenUp(why));
}

void Call::Refuse(Error error) {
  intake_.ReadMetadata();
  intake_.NameCall();
  Finish(FailedReply(std::move(error)));
}

void Call::Answer() {
  std::optional<Error> error = intake_.Read(request_);
  if (!error.has_value()) {
    if (const std::optional<Reply> reply = environment_.source.AtHand(intake_.query)) {
      return Finish(*reply);
    }
  }
  intake_.NameCall();
  if (error.has_value()) return Finish(FailedReply(*std::move(error)));
  if (!TakePlace()) return Finish(FailedReply(TooManyCalls()));
  Wait();
}

// False: as many calls wait as may. What is at hand was given before, whatever the number.
bool Call::TakePlace() {
  CallStats& stats = environment_.stats;
  const int64_t waiting = stats.waiting.fetch_add(1, std::memory_order_relaxed);
  if (environment_.most_calls == 0 || waiting < environment_.most_calls) return true;
  stats.waiting.fetch_sub(1, std::memory_order_relaxed);
  stats.refused.Add();
  return false;
}

void Call::Wait() {
  waiting_ = true;
  intake_.PrepareToAsk();
  // The reply may come at once or on another thread: either way it comes back through the queue.
  ticket_ = environment_.source.Ask(
      intake_.query, [this](Reply reply) { queue_.Deliver(*this, std::move(reply)); });
  WatchDeadline();
}

void Call::WatchDeadline() {
  const auto deadline = context_.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return;
  const absl::Time now = absl::FromChrono(std::chrono::system_clock::now());
  const absl::Time answer_at = now + TimeToAnswer(absl::FromChrono(deadline) - now);
  ++pending_events_;
  alarm_.emplace();
  alarm_->Set(&queue_.queue(), absl::ToChronoTime(answer_at), &expired_);
}

void Call::Expired(bool ok) {
  if (ok) EndEarly(Ending::kDeadline);
  EventIsOver();
}

void Call::Over(bool) {
  if (context_.IsCancelled()) EndEarly(Ending::kCancelled);
  EventIsOver();
}

// The first reason to end wins. The source then replies with CANCELLED, or with what it has: an
// answer that it had just got, or a stale one.
void Call::EndEarly(Ending ending) {
  if (!waiting_ || ending_ != Ending::kNone) return;
  ending_ = ending;
  ticket_.Cancel();
}

void Call::Receive(Reply reply) {
  waiting_ = false;
  environment_.stats.waiting.fetch_sub(1, std::memory_order_relaxed);
  if (alarm_.has_value()) alarm_->Cancel();
  const Outcome& outcome = *reply.outcome;
  if (ending_ == Ending::kCancelled) {
    // Nobody is there to take an answer, so none is to be counted as given.
    reply = FailedReply(
        Error(absl::StatusCode::kCancelled, Reason::kCancelled, "the caller cancelled the call"));
  } else if (ending_ == Ending::kDeadline && !outcome.ok() &&
             outcome.error->code == absl::StatusCode::kCancelled) {
    reply = FailedReply(Error(absl::StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
                              "the call's deadline passed before Cloudflare answered"));
  }
  Finish(reply);
}

void Call::Finish(const Reply& reply) {
  const Outcome& outcome = *reply.outcome;
  const std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
  const absl::Duration duration = absl::FromChrono(now - intake_.began);
  stats_.CountHandled(outcome, duration);
  TellOfEnd(reply, duration);
  AddResponseMetadata(reply, intake_.request_id, context_);
  finishing_ = true;
  queue_.peers().Add(*this, now);
  ++pending_events_;
  if (outcome.ok()) {
    responder_.Finish(MessageBytes(reply.outcome), grpc::Status::OK, &finished_);
  } else {
    responder_.FinishWithError(StatusOf(outcome, intake_.request_id), &finished_);
  }
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
