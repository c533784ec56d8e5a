// StreamCall: a Call that has any number of answers, from its method's feed.
//
// It has a place among the streams that stay open (OpenStreams), and ends with
//   the feed's own end;
//   DEADLINE_EXCEEDED and CANCELLED, at once, as any call;
//   UNAVAILABLE, SHUTTING_DOWN, when the server drains;
//   UNAUTHENTICATED, when the certificate of its connection ends;
//   RESOURCE_EXHAUSTED, READER_TOO_SLOW, when one message is not read for
//   StreamLimits::longest_read.
// That code, as what a reader who does not read holds is the gateway's: a place, memory, a
// connection to Cloudflare. It is no UNAVAILABLE, which clients repeat by themselves.
#ifndef PCAP_GATEWAY_SERVICE_RPC_STREAM_CALL_H_
#define PCAP_GATEWAY_SERVICE_RPC_STREAM_CALL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "service/rpc/call.h"
#include "service/rpc/feed.h"
#include "service/rpc/lasting_stream.h"

namespace pcap_gateway {

class StreamCall final : public Call, private Outlet, private LastingStream {
 public:
  using Call::Call;
  ~StreamCall() override;

 private:
  void Answer() override;
  void Leave() override;
  void SendEnd(const Reply& reply) override;
  std::optional<Streamed> streamed() const override { return streamed_; }
  void GiveUp(Why why) override;

  void Write(const grpc::ByteBuffer& message) override;
  bool writing() const override { return writing_; }
  void Finish(Reply reply) override;
  void Post(Task task) override { queue_.Post(std::move(task)); }

  void Look() override;
  void Refresh() override;

  void WasWritten(bool ok);  // not ok: the peer is gone
  std::optional<Error> Enter();
  void CutOff(const Error& error);

  std::unique_ptr<Feed> feed_;
  std::string connection_;  // its peer's address; empty: it has no place
  bool writing_ = false;
  uint64_t writing_bytes_ = 0;
  Streamed streamed_;
  std::optional<Reply> end_;  // once the feed has ended, while a message is being written
  MethodEvent<StreamCall, &StreamCall::WasWritten> written_{*this};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_STREAM_CALL_H_
