#include "service/rpc/stream.h"

#include <grpcpp/grpcpp.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "service/rpc/gate.h"
#include "service/rpc/health.h"
#include "service/rpc/open_streams.h"
#include "service/rpc/reply.h"
#include "service/rpc/status_details.h"

namespace pcap_gateway {
namespace {

// A path can be as long as metadata may be; what is told of it needs not.
constexpr size_t kMostPathBytes = 200;

grpc::Status Unimplemented(const std::string& path) {
  return grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                      absl::StrCat("unknown method ", path.substr(0, kMostPathBytes)));
}

grpc::Status StatusOf(Error error) { return StatusOf(*FailedReply(std::move(error)).outcome, ""); }

}  // namespace

void Stream::Take(OpenStreams& streams) {
  if (streams.queue().stopping()) return;
  auto* const stream = new Stream(streams);
  // gRPC tells of a stream's end only if there was a stream: `ended_` comes after a good
  // `arrived_`.
  stream->context_.AsyncNotifyWhenDone(&stream->ended_);
  grpc::ServerCompletionQueue* const queue = &streams.queue().queue();
  streams.service().RequestCall(&stream->context_, &stream->peer_, queue, queue, &stream->arrived_);
}

void Stream::Arrived(bool ok) {
  if (!ok) {
    delete this;
    return;
  }
  Take(streams_);
  streams_.queue().CallBegins();
  streams_.Add(*this);
  pending_events_ = 1;  // ended_
  Begin();
}

void Stream::Begin() {
  began_ = std::chrono::steady_clock::now();
  stats_ = &streams_.StatsOf(context_.method());
  stats_->started.Add();
  if (std::optional<Error> error = MayBegin()) return Finish(StatusOf(*std::move(error)));
  handler_ = streams_.HandlerFor(context_.method(), *this);
  if (handler_ == nullptr) return Finish(Unimplemented(context_.method()));
  EndWithServer();
  if (finishing_) return;
  Await();
  Read();
}

// Whoever may not call learns nothing else.
std::optional<Error> Stream::MayBegin() {
  if (std::optional<Error> error = CheckPeer()) return error;
  const Gate gate(streams_.policy(), context_, context_.method());
  if (std::optional<Error> error = gate.CheckCall()) return error;
  std::string connection = context_.peer();
  std::optional<Error> error = streams_.CheckRoom(connection, context_.method());
  if (error.has_value()) return error;
  connection_ = std::move(connection);
  streams_.queue().peers().MakeRoom();
  return std::nullopt;
}

std::optional<Error> Stream::CheckPeer() {
  if (!streams_.certificates()) return std::nullopt;
  return CheckCertificate(context_);
}

void Stream::Look() {
  if (finishing_ || over_) return;
  if (std::optional<Error> error = CheckPeer()) Finish(StatusOf(*std::move(error)));
}

void Stream::Await() {
  AwaitedPeers& peers = streams_.queue().peers();
  peers.Remove(*this);
  peers.Add(*this, Clock::now());
}

// Its first message has come. A check is over with it, and needs no place; false: there is none.
bool Stream::Stay() {
  AwaitedPeers& peers = streams_.queue().peers();
  if (stays_ || context_.method() == kHealthCheckPath) return true;
  if (!peers.HasPlaceToStay()) return false;
  peers.Stay();
  stays_ = true;
  return true;
}

void Stream::Leave() {
  AwaitedPeers& peers = streams_.queue().peers();
  peers.Remove(*this);
  if (std::exchange(stays_, false)) peers.StayNoMore();
}

void Stream::GiveUp(Why why) {
  streams_.CountGivenUp(why);
  // It does not take what it is sent.
  if (writing_ || finishing_) return context_.TryCancel();
  Finish(StatusOf(GivenUp(why)));
}

void Stream::Refresh() {
  if (finishing_ || over_) return;
  handler_->Refresh();
  EndWithServer();
}

// What the handler has to tell comes first: that the server ends may be the news.
void Stream::EndWithServer() {
  if (!streams_.ending() || writing_) return;
  Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
}

void Stream::Read() {
  if (over_ || finishing_) return;
  ++pending_events_;
  peer_.Read(&message_, &read_);
}

void Stream::WasRead(bool ok) {
  if (ok) stats_->received.Add();
  if (!over_ && !finishing_) {
    if (!writing_) streams_.queue().peers().Remove(*this);
    if (!Stay()) {
      Finish(StatusOf(streams_.NoPlaceToStay()));
    } else if (ok) {
      handler_->Receive(message_);
    } else {
      handler_->ReceiveEnd();
    }
  }
  EventIsOver();
}

void Stream::Write(const grpc::ByteBuffer& message) {
  if (over_ || finishing_) return;
  writing_ = true;
  Await();
  ++pending_events_;
  peer_.Write(message, &sent_);
}

void Stream::WasSent(bool ok) {
  writing_ = false;
  streams_.queue().peers().Remove(*this);
  if (ok) stats_->sent.Add();
  if (finishing_) {
    SendStatus();
  } else if (!ok) {
    Finish(grpc::Status::CANCELLED);
  } else if (!over_) {
    handler_->Sent();
    EndWithServer();
  }
  EventIsOver();
}

void Stream::Finish(const grpc::Status& status) {
  if (over_ || finishing_) return;
  finishing_ = true;
  status_ = status;
  if (!writing_) SendStatus();
}

void Stream::SendStatus() {
  if (over_) return;
  Leave();
  Await();
  ++pending_events_;
  peer_.Finish(status_, &finished_);
}

void Stream::WasFinished(bool) {
  Leave();
  EventIsOver();
}

void Stream::Over(bool) {
  over_ = true;
  EventIsOver();
}

// Who went away before there was a status has cancelled.
void Stream::Count() const {
  const grpc::StatusCode code = finishing_ ? status_.error_code() : grpc::StatusCode::CANCELLED;
  stats_->handled[code].Add();
  stats_->handling.Observe(absl::FromChrono(std::chrono::steady_clock::now() - began_));
}

void Stream::EventIsOver() {
  if (--pending_events_ > 0) return;
  Count();
  Leave();
  OpenStreams& streams = streams_;
  streams.Remove(*this);
  if (!connection_.empty()) streams.Leave(connection_);
  delete this;
  streams.queue().CallEnds();
}

}  // namespace pcap_gateway
