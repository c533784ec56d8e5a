// Call: one RPC of the rows of Methods(), from the moment gRPC is asked for it to the last event
// that concerns it. What its shape makes of it stands in unary_call.h and stream_call.h.
//
//   Call::Take(environment, method, streams);   // Method::ahead times; each takes its successor
#ifndef PCAP_GATEWAY_SERVICE_RPC_CALL_H_
#define PCAP_GATEWAY_SERVICE_RPC_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "service/rpc/awaited_peers.h"
#include "service/rpc/call_environment.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/intake.h"
#include "service/rpc/raw_service.h"
#include "service/source/ended_call.h"
#include "service/source/source.h"

namespace pcap_gateway {

class OpenStreams;

// Owns itself, and lives on the thread of its queue. Finishes its RPC exactly once: when all is
// answered, when the caller cancels, or shortly before the caller's deadline, so that the reason
// still reaches it.
class Call : protected AwaitedPeer {
 public:
  // Asks gRPC for one call more of `method` on the queue of `streams`. From then on there is one
  // more asked for at any time, until the server shuts down.
  static void Take(const CallEnvironment& environment, const Method& method, OpenStreams& streams);

 protected:
  Call(const CallEnvironment& environment, const Method& method, OpenStreams& streams);
  virtual ~Call() = default;

  // Its request is read, and nothing is wrong with it. Answers, or begins to wait with Wait.
  virtual void Answer() = 0;
  // Nobody waits any more: what is under way ends soon, and brings the reply that is waited for.
  virtual void Leave() = 0;
  // Sends the end. Starts the one operation that `finished_` is the event of.
  virtual void SendEnd(const Reply& reply) = 0;
  // What it has sent, where that is a stream.
  virtual std::optional<Streamed> streamed() const { return std::nullopt; }

  // From here on there is a reply to come. Watches the deadline.
  void Wait();
  // It has come. Returns what the call ends with: `reply`, or why it ended before.
  Reply WaitIsOver(Reply reply);
  bool waiting() const { return waiting_; }

  // Leaves, as there is an `error` before all is answered; the first one counts.
  void EndEarly(Error error);
  // Absent: there is none (yet).
  const std::optional<Error>& early() const { return early_; }

  // Once, and not while a message is being written.
  void Finish(const Reply& reply);
  bool finishing() const { return finishing_; }

  // Around each operation that is started.
  void EventBegins() { ++pending_events_; }
  void EventIsOver();

  std::string Connection() const override { return context_.peer(); }
  void GiveUp(Why why) override;

  const CallEnvironment& environment_;
  const Method& method_;
  MethodStats& stats_;
  OpenStreams& streams_;
  CallQueue& queue_;

  grpc::ServerContext context_;
  Responder responder_{&context_};
  Intake intake_{environment_, method_, context_};

 private:
  // Events, each of which comes once if its operation was started.
  void Arrived(bool ok);   // gRPC has a call for us; not ok: the server shuts down
  void WasRead(bool ok);   // its request has come; not ok: none will
  void Over(bool ok);      // the RPC is over, for whatever reason
  void Finished(bool ok);  // what we sent is sent
  void Expired(bool ok);   // the time to answer has come; not ok: the alarm was cancelled

  void Begin();
  void Refuse(Error error);
  void WatchDeadline();
  void TellOfEnd(const Reply& reply, absl::Duration duration) const;

  grpc::ByteBuffer request_;
  int pending_events_ = 0;  // the call is gone with the last of them
  bool waiting_ = false;    // for a reply
  bool finishing_ = false;
  std::optional<Error> early_;
  std::optional<grpc::Alarm> alarm_;  // set while a call with a deadline waits

  MethodEvent<Call, &Call::Arrived> arrived_{*this};
  MethodEvent<Call, &Call::WasRead> read_{*this};
  MethodEvent<Call, &Call::Over> over_{*this};
  MethodEvent<Call, &Call::Expired> expired_{*this};

 protected:
  MethodEvent<Call, &Call::Finished> finished_{*this};
};

// When a call with `left` until its deadline is answered at the latest: early enough for the answer
// to travel.
absl::Duration TimeToAnswer(absl::Duration left);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CALL_H_
