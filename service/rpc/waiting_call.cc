#include "service/rpc/waiting_call.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "service/rpc/reply.h"

namespace pcap_gateway {

absl::Duration TimeToAnswer(absl::Duration left) {
  // A fifth of a short deadline, at most 50 ms of a long one.
  return left - std::min(left / 5, absl::Milliseconds(50));
}

grpc::ServerUnaryReactor* WaitingCall::Start(Source& source, Query query,
                                             grpc::CallbackServerContext& context,
                                             grpc::ByteBuffer& response, CallStats& stats) {
  auto* const call = new WaitingCall(context, response, query.trace.request_id, stats);
  // The answer may come on another thread before Ask returns: gRPC keeps the finish until the
  // handler has returned, and neither OnCancel nor OnDone comes before that. The alarm does, so it
  // is set last.
  call->ticket_ =
      source.Ask(std::move(query), [call](Reply reply) { call->FinishWith(std::move(reply)); });
  call->WatchDeadline();
  return call;
}

WaitingCall::WaitingCall(grpc::CallbackServerContext& context, grpc::ByteBuffer& response,
                         std::string request_id, CallStats& stats)
    : context_(context), response_(response), request_id_(std::move(request_id)), stats_(stats) {
  stats_.waiting.fetch_add(1, std::memory_order_relaxed);
}

WaitingCall::~WaitingCall() { stats_.waiting.fetch_sub(1, std::memory_order_relaxed); }

void WaitingCall::WatchDeadline() {
  const auto deadline = context_.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return;
  const absl::Time now = absl::Now();
  const absl::Time answer_at = now + TimeToAnswer(absl::FromChrono(deadline) - now);
  references_.fetch_add(1, std::memory_order_relaxed);
  alarm_.Set(absl::ToChronoTime(answer_at), [this](bool expired) {
    if (expired) EndEarly(Ending::kDeadline);
    DropReference();
  });
}

// The first reason to end wins; the source then answers with CANCELLED, which FinishWith turns into
// the reason.
void WaitingCall::EndEarly(Ending ending) {
  Ending none = Ending::kNone;
  if (ending_.compare_exchange_strong(none, ending)) ticket_.Cancel();
}

void WaitingCall::FinishWith(Reply reply) {
  if (ending_.load() == Ending::kDeadline && !reply.outcome->ok() &&
      reply.outcome->error->code == absl::StatusCode::kCancelled) {
    reply = FailedReply(Error(absl::StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
                              "the call's deadline passed before Cloudflare answered"));
  }
  const Outcome& outcome = *reply.outcome;
  AddResponseMetadata(reply, request_id_, context_);
  if (outcome.ok()) response_ = MessageBytes(reply.outcome);
  stats_.CountHandled(outcome);
  Finish(StatusOf(outcome, request_id_));
}

void WaitingCall::OnDone() {
  alarm_.Cancel();  // which drops the alarm's reference, now rather than at the deadline
  DropReference();
}

void WaitingCall::DropReference() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

}  // namespace pcap_gateway
