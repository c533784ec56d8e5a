#include "service/rpc/unary_call.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "service/rpc/reply.h"

namespace pcap_gateway {
namespace {

Error TooManyCalls() {
  Error error(absl::StatusCode::kResourceExhausted, Reason::kTooManyCalls,
              "as many calls wait for an answer in this gateway as --max-calls allows");
  error.retry_after = absl::Seconds(1);
  return error;
}

}  // namespace

void UnaryCall::Answer() {
  if (const std::optional<Reply> reply = environment_.source.AtHand(intake_.query)) {
    return Finish(*reply);
  }
  intake_.NameCall();
  if (!TakePlace()) return Finish(FailedReply(TooManyCalls()));
  Ask();
}

// False: as many calls wait as may. What is at hand was given before, whatever the number.
bool UnaryCall::TakePlace() {
  CallStats& stats = environment_.stats;
  const int64_t waiting = stats.waiting.fetch_add(1, std::memory_order_relaxed);
  if (environment_.most_calls == 0 || waiting < environment_.most_calls) return true;
  stats.waiting.fetch_sub(1, std::memory_order_relaxed);
  stats.refused.Add();
  return false;
}

void UnaryCall::Ask() {
  intake_.PrepareToAsk();
  Wait();
  // The reply may come at once or on another thread: either way it comes back through the queue.
  ticket_ = environment_.source.Ask(intake_.query, [this](Reply reply) {
    reply_ = std::move(reply);
    environment_.stats.handed_back.Add();
    queue_.Post([this] { Receive(); });
  });
}

void UnaryCall::Leave() { ticket_.Cancel(); }

void UnaryCall::Receive() {
  environment_.stats.waiting.fetch_sub(1, std::memory_order_relaxed);
  Finish(WaitIsOver(std::move(reply_)));
}

void UnaryCall::SendEnd(const Reply& reply) {
  if (!reply.outcome->ok()) {
    return responder_.Finish(StatusOf(*reply.outcome, intake_.request_id), &finished_);
  }
  stats_.sent.Add();
  responder_.WriteAndFinish(MessageBytes(reply.outcome), grpc::WriteOptions(), grpc::Status::OK,
                            &finished_);
}

}  // namespace pcap_gateway
