// WaitingCall: the reactor of a call whose answer is not at hand.
//
//   return WaitingCall::Start(source, std::move(query), *context, *response, stats);
#ifndef PCAP_GATEWAY_SERVICE_RPC_WAITING_CALL_H_
#define PCAP_GATEWAY_SERVICE_RPC_WAITING_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <string>

#include "absl/time/time.h"
#include "service/rpc/call_stats.h"
#include "service/source/source.h"

namespace pcap_gateway {

// Finishes its call exactly once: when the source answers, when the caller cancels, or shortly
// before the caller's deadline, so that the reason still reaches it. Owns itself; gone after both
// gRPC's OnDone and its alarm.
class WaitingCall final : public grpc::ServerUnaryReactor {
 public:
  // Asks `source`; for use as a handler's return value. Counts the call in `stats`. Both outlive
  // the call.
  static grpc::ServerUnaryReactor* Start(Source& source, Query query,
                                         grpc::CallbackServerContext& context,
                                         grpc::ByteBuffer& response, CallStats& stats);

 private:
  enum class Ending { kNone, kCancelled, kDeadline };

  WaitingCall(grpc::CallbackServerContext& context, grpc::ByteBuffer& response,
              std::string request_id, CallStats& stats);
  ~WaitingCall() override;

  void WatchDeadline();
  void EndEarly(Ending ending);
  void FinishWith(Reply reply);
  void DropReference();

  void OnCancel() override { EndEarly(Ending::kCancelled); }
  void OnDone() override;

  grpc::CallbackServerContext& context_;
  grpc::ByteBuffer& response_;
  const std::string request_id_;
  CallStats& stats_;
  Ticket ticket_;  // set before anybody can cancel; used by the one who wins `ending_`
  grpc::Alarm alarm_;
  std::atomic<Ending> ending_{Ending::kNone};
  std::atomic<int> references_{1};  // OnDone's; the alarm's beside it, while it is set
};

// When a call with `left` until its deadline is answered at the latest: early enough for the answer
// to travel.
absl::Duration TimeToAnswer(absl::Duration left);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_WAITING_CALL_H_
