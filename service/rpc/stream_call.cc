#include "service/rpc/stream_call.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "service/rpc/open_streams.h"
#include "service/rpc/reply.h"

namespace pcap_gateway {
namespace {

Error ShuttingDown() {
  return Error(absl::StatusCode::kUnavailable, Reason::kShuttingDown,
               "this gateway is shutting down; ask another one");
}

Error ReaderTooSlow() {
  return Error(absl::StatusCode::kResourceExhausted, Reason::kReaderTooSlow,
               "a message was not read in time (--stream-idle-timeout)");
}

}  // namespace

StreamCall::~StreamCall() {
  if (connection_.empty()) return;
  streams_.Remove(*this);
  streams_.Leave(connection_);
  queue_.peers().StayNoMore();
  stats_.open.fetch_sub(1, std::memory_order_relaxed);
}

// Takes a place among those that stay.
std::optional<Error> StreamCall::Enter() {
  if (streams_.ending()) return ShuttingDown();
  const int64_t most =
      method_.permission == Permission::kDownload ? environment_.most_downloads : 0;
  if (most > 0 && stats_.open.load(std::memory_order_relaxed) >= most) {
    return streams_.Refused(
        "the gateway has as many downloads under way as --max-downloads allows");
  }
  std::string connection = context_.peer();
  if (std::optional<Error> error = streams_.CheckRoom(connection, method_.path)) return error;
  connection_ = std::move(connection);
  streams_.Add(*this);
  queue_.peers().Stay();
  stats_.open.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

void StreamCall::Answer() {
  intake_.NameCall();
  if (std::optional<Error> error = Enter()) {
    return Call::Finish(FailedReply(*std::move(error)));
  }
  intake_.PrepareToAsk();
  feed_ = method_.feed({*this, environment_.source, environment_.watches, intake_.query});
  Wait();
  feed_->Begin();
}

// A message that is not taken holds up the status behind it; except in a server that drains, which
// has some time.
void StreamCall::Leave() {
  feed_->Leave();
  const std::optional<Error>& why = early();
  if (writing_ && why.has_value() && why->code != absl::StatusCode::kUnavailable) CutOff(*why);
}

// The status overtakes what the peer does not read, without the details that have no place then.
void StreamCall::CutOff(const Error& error) {
  grpc_call_cancel_with_status(context_.c_call(), static_cast<grpc_status_code>(error.code),
                               error.message.c_str(), nullptr);
}

void StreamCall::GiveUp(Why why) {
  if (!writing_) return Call::GiveUp(why);
  streams_.CountGivenUp(why);
  Error error = ReaderTooSlow();
  if (end_.has_value()) end_ = FailedReply(error);
  EndEarly(error);
  CutOff(error);
}

void StreamCall::Write(const grpc::ByteBuffer& message) {
  if (early().has_value()) return;
  writing_ = true;
  writing_bytes_ = message.Length();
  queue_.readers().Add(*this, std::chrono::steady_clock::now());
  EventBegins();
  responder_.Write(message, &written_);
}

void StreamCall::WasWritten(bool ok) {
  writing_ = false;
  queue_.readers().Remove(*this);
  if (ok) {
    stats_.sent.Add();
    stats_.streamed_bytes.Add(writing_bytes_);
    ++streamed_.messages;
    streamed_.bytes += writing_bytes_;
  }
  if (end_.has_value()) {
    Call::Finish(*end_);
  } else if (!ok) {
    EndEarly(
        Error(absl::StatusCode::kCancelled, Reason::kCancelled, "the caller cancelled the call"));
  } else if (!early().has_value()) {
    feed_->Written();
  }
  EventIsOver();
}

void StreamCall::Finish(Reply reply) {
  reply = WaitIsOver(std::move(reply));
  if (writing_) {
    end_ = std::move(reply);
  } else {
    Call::Finish(reply);
  }
}

void StreamCall::SendEnd(const Reply& reply) {
  responder_.Finish(StatusOf(*reply.outcome, intake_.request_id), &finished_);
}

void StreamCall::Look() {
  if (std::optional<Error> error = CheckCertificate(context_)) EndEarly(*std::move(error));
}

void StreamCall::Refresh() {
  if (streams_.ending()) EndEarly(ShuttingDown());
}

}  // namespace pcap_gateway
