// Call: one RPC, from the moment gRPC is asked for it to the last event that concerns it.
//
//   Call::Take(environment, method, queue);   // and it takes its successor itself
#ifndef PCAP_GATEWAY_SERVICE_RPC_CALL_H_
#define PCAP_GATEWAY_SERVICE_RPC_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <optional>

#include "absl/time/time.h"
#include "service/rpc/awaited_peers.h"
#include "service/rpc/call_environment.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/intake.h"
#include "service/rpc/raw_service.h"
#include "service/source/source.h"

namespace pcap_gateway {

// Owns itself, and lives on the thread of its queue. Finishes its RPC exactly once: when the source
// answers, when the caller cancels, or shortly before the caller's deadline, so that the reason
// still reaches it.
class Call final : private ReplyReceiver, private AwaitedPeer {
 public:
  // Asks gRPC for the next call of `method`. From then on there is always one asked for, until the
  // server shuts down.
  static void Take(const CallEnvironment& environment, const Method& method, CallQueue& queue);

 private:
  enum class Ending { kNone, kCancelled, kDeadline };

  Call(const CallEnvironment& environment, const Method& method, CallQueue& queue);
  ~Call() = default;

  // Events, each of which comes once if its operation was started.
  void Arrived(bool ok);   // gRPC has a call for us; not ok: the server shuts down
  void WasRead(bool ok);   // its request has come; not ok: none will
  void Over(bool ok);      // the RPC is over, for whatever reason
  void Finished(bool ok);  // what we sent is sent
  void Expired(bool ok);   // the time to answer has come; not ok: the alarm was cancelled
  void Receive(Reply reply) override;

  void GiveUp(Why why) override;

  void Begin();
  void Answer();
  void Refuse(Error error);
  bool TakePlace();
  void Wait();
  void WatchDeadline();
  void EndEarly(Ending ending);
  void Finish(const Reply& reply);
  void TellOfEnd(const Reply& reply, absl::Duration duration) const;
  void EventIsOver();

  const CallEnvironment& environment_;
  const Method& method_;
  MethodStats& stats_;
  CallQueue& queue_;

  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  Responder responder_{&context_};
  Intake intake_{environment_, method_, context_};

  int pending_events_ = 0;  // the call is gone with the last of them
  bool waiting_ = false;    // for the source's reply
  bool finishing_ = false;
  Ending ending_ = Ending::kNone;
  Ticket ticket_;
  std::optional<grpc::Alarm> alarm_;  // set while a call with a deadline waits

  MethodEvent<Call, &Call::Arrived> arrived_{*this};
  MethodEvent<Call, &Call::WasRead> read_{*this};
  MethodEvent<Call, &Call::Over> over_{*this};
  MethodEvent<Call, &Call::Finished> finished_{*this};
  MethodEvent<Call, &Call::Expired> expired_{*this};
};

// When a call with `left` until its deadline is answered at the latest: early enough for the answer
// to travel.
absl::Duration TimeToAnswer(absl::Duration left);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CALL_H_
