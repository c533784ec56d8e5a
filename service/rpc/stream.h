// Stream: one call of a method that is not the PcapService's (health, reflection, or none that we
// know), from the moment gRPC is asked for it to the last event that concerns it.
//
// gRPC's own health and reflection services need threads that poll the same connections as ours,
// and hand on to us what is ours: a cached call would cost an eighth more. So these calls share our
// queues.
//
//   Stream::Take(streams);   // as often as wanted; each takes its successor itself
#ifndef PCAP_GATEWAY_SERVICE_RPC_STREAM_H_
#define PCAP_GATEWAY_SERVICE_RPC_STREAM_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "service/rpc/awaited_peers.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/call_stats.h"
#include "service/rpc/lasting_stream.h"
#include "service/source/error.h"

namespace pcap_gateway {

class OpenStreams;

// What the messages of a stream mean. Lives and is called on the stream's thread; belongs to it.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // The message that was asked for with Stream::Read (the first one comes unasked).
  virtual void Receive(const grpc::ByteBuffer& message) = 0;
  // There was none any more: the peer has sent all.
  virtual void ReceiveEnd() = 0;
  // What was given to Stream::Write is sent.
  virtual void Sent() {}
  // OpenStreams::Refresh was called.
  virtual void Refresh() {}
};

// Owns itself, and lives on the thread of its queue. Reads and writes one message at a time, so
// that one message at most waits here for a peer that does not read.
class Stream final : private AwaitedPeer, private LastingStream {
 public:
  // Asks gRPC for one stream more. From then on there is one more asked for at any time, until the
  // server shuts down.
  static void Take(OpenStreams& streams);

  // On the queue's thread.

  // Not while another message is being read.
  void Read();
  // Not while writing(), nor after Finish.
  void Write(const grpc::ByteBuffer& message);
  bool writing() const { return writing_; }
  // The first status counts. A message that is being written is written first.
  void Finish(const grpc::Status& status);
  bool finished() const { return finishing_; }

 private:
  explicit Stream(OpenStreams& streams) : streams_(streams) {}
  ~Stream() = default;

  // Events, each of which comes once if its operation was started.
  void Arrived(bool ok);  // gRPC has a stream for us; not ok: the server shuts down
  void Over(bool ok);     // it is over, for whatever reason
  void WasRead(bool ok);  // not ok: the peer has sent all, or is gone
  void WasSent(bool ok);  // not ok: the peer is gone
  void WasFinished(bool ok);
  std::string Connection() const override { return context_.peer(); }
  void GiveUp(Why why) override;

  void Begin();
  std::optional<Error> MayBegin();
  std::optional<Error> CheckPeer();
  void Look() override;
  void Await();
  bool Stay();
  void Leave();
  void Refresh() override;
  void EndWithServer();
  void SendStatus();
  void Count() const;
  void EventIsOver();

  OpenStreams& streams_;
  RpcStats* stats_ = nullptr;  // of its method, once it has one
  std::chrono::steady_clock::time_point began_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter peer_{&context_};
  std::unique_ptr<StreamHandler> handler_;  // null: a method that we do not have
  grpc::ByteBuffer message_;                // the last one read

  std::string connection_;  // its peer's address; empty: it is not counted
  bool stays_ = false;      // has a place to stay
  int pending_events_ = 0;  // the stream is gone with the last of them
  bool writing_ = false;
  bool finishing_ = false;
  bool over_ = false;
  grpc::Status status_;  // once finishing

  MethodEvent<Stream, &Stream::Arrived> arrived_{*this};
  MethodEvent<Stream, &Stream::Over> ended_{*this};
  MethodEvent<Stream, &Stream::WasRead> read_{*this};
  MethodEvent<Stream, &Stream::WasSent> sent_{*this};
  MethodEvent<Stream, &Stream::WasFinished> finished_{*this};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_STREAM_H_
