#include "service/rpc/call.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <utility>
#include <variant>

#include "absl/time/clock.h"
#include "service/rpc/call_headers.h"
#include "service/rpc/reply.h"

namespace pcap_gateway {
namespace {

absl::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

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
  began_ = std::chrono::steady_clock::now();
  gate_.emplace(environment_.policy, context_, method_.path);
  std::optional<Error> error;
  if (environment_.certificates) error = CheckCertificate(context_);
  if (!error.has_value()) error = gate_->CheckCall();
  if (error.has_value()) return Refuse(*std::move(error));
  queue_.peers().MakeRoom();
  queue_.peers().Add(*this, began_);
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
  ReadHeaders();
  request_id_ = query_.trace.request_id;
  if (request_id_.empty()) request_id_ = NewRequestId();
  Finish(FailedReply(std::move(error)));
}

void Call::Answer() {
  std::optional<Error> error = Read();
  request_id_ = query_.trace.request_id;
  if (!error.has_value()) {
    if (const std::optional<Reply> reply = environment_.source.AtHand(query_)) {
      return Finish(*reply);
    }
  }
  // From here on somebody may want to find the call again, so it gets a name if it has none. That
  // goes no further: what ties this end to Cloudflare's is cf-ray.
  if (request_id_.empty()) request_id_ = NewRequestId();
  if (error.has_value()) return Finish(FailedReply(*std::move(error)));
  if (!TakePlace()) return Finish(FailedReply(TooManyCalls()));
  Wait();
}

// What the call wants. What is wrong with a request comes before what is wrong with its metadata.
std::optional<Error> Call::Read() {
  std::optional<Error> error = method_.read(request_, environment_.defaults, query_);
  if (!error.has_value() && gate_.has_value()) error = gate_->CheckAccount(query_.account);
  std::optional<Error> headers_error = ReadHeaders();
  return error.has_value() ? error : headers_error;
}

// What the call's metadata adds to the query. The trace is filled in even when there is an error to
// tell.
std::optional<Error> Call::ReadHeaders() {
  CallHeaders headers;
  for (const auto& [key, value] : context_.client_metadata()) headers.Read(View(key), View(value));
  query_.max_age = std::min(query_.max_age, headers.cache_control().max_age);
  query_.only_if_cached = headers.cache_control().only_if_cached;
  query_.trace = headers.trace();
  if (environment_.tracer != nullptr) {
    span_ = environment_.tracer->Begin(method_.path, began_, query_.trace);
  }
  query_.credential = environment_.service_credential.Get();
  if (query_.credential != nullptr) return std::nullopt;
  auto credential = headers.credential();
  if (auto* const error = std::get_if<Error>(&credential)) return std::move(*error);
  query_.credential = std::get<std::shared_ptr<const Credential>>(std::move(credential));
  return std::nullopt;
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

// By the source's clock: the machine's may be set while the call waits, or have been set long ago.
absl::Time Call::Deadline() const {
  const auto deadline = context_.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteFuture();
  // Not absl::Now(), which notices up to two seconds later that the clock was set.
  return environment_.clock.Now() + absl::FromChrono(deadline - std::chrono::system_clock::now());
}

// Looked for only where callers show certificates, as that takes gRPC a dozen allocations.
std::string Call::PrincipalName() const {
  return environment_.certificates ? PrincipalsOf(context_).Name() : std::string();
}

void Call::Wait() {
  waiting_ = true;
  query_.requests_sent = std::make_shared<std::atomic<int>>(0);
  query_.deadline = Deadline();
  query_.caller = std::make_shared<const std::string>(CallerNameOf(PrincipalName(), context_));
  // The reply may come at once or on another thread: either way it comes back through the queue.
  ticket_ = environment_.source.Ask(query_, [this](Reply reply) {
    environment_.stats.handed_back.Add();
    queue_.Deliver(*this, std::move(reply));
  });
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
  const absl::Duration duration = absl::FromChrono(now - began_);
  stats_.CountHandled(outcome, duration);
  TellOfEnd(reply, duration);
  AddResponseMetadata(reply, request_id_, context_);
  finishing_ = true;
  queue_.peers().Add(*this, now);
  ++pending_events_;
  if (outcome.ok()) {
    responder_.Finish(MessageBytes(reply.outcome), grpc::Status::OK, &finished_);
  } else {
    responder_.FinishWithError(StatusOf(outcome, request_id_), &finished_);
  }
}

void Call::TellOfEnd(const Reply& reply, absl::Duration duration) const {
  if (environment_.observers.empty() && span_ == nullptr) return;
  const auto caller = [this] {
    return Caller{.address = std::string(context_.peer()), .principal = PrincipalName()};
  };
  const EndedCall call{
      .method = method_.path,
      .query = query_,
      .reply = reply,
      .request_id = request_id_,
      .duration = duration,
      .upstream_requests = query_.requests_sent == nullptr ? 0 : query_.requests_sent->load(),
      .caller = caller,
  };
  for (CallObserver* const observer : environment_.observers) observer->Ended(call);
  if (span_ != nullptr) span_->End(call);
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
