// GrpcConnection: gRPC calls over one HTTP/2 connection, as cheap for the caller as they get: with
// one answer each, or with a stream of them.
//
//   GrpcConnection connection("127.0.0.1:50051", "/pcap.v1.PcapService/GetPcap", metadata,
//                             [&](const CallResult& result) { … connection.Call(next, ""); });
//   connection.Call(Framed(message), "");
//   connection.Flush();
//   // whenever connection.fd() is readable or writable:
//   connection.Receive();
//   connection.Flush();
//
// On nghttp2 rather than on gRPC, for two reasons: a load generator that takes as much CPU as the
// server cannot fill it from one core, and a client that shares the server's code would hide the
// server's mistakes.
#ifndef PCAP_GATEWAY_TESTS_BENCH_GRPC_CONNECTION_H_
#define PCAP_GATEWAY_TESTS_BENCH_GRPC_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pcap_gateway::bench {

// How one call ended.
struct CallResult {
  std::chrono::nanoseconds latency;  // from Call() to the end of the stream
  std::string_view fault;            // empty: it ended as it should
  size_t message_bytes = 0;
  bool hit = false;  // `cache-status` says that a cache had it
};

// Sent with each call.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Puts gRPC's five bytes before a message: not compressed, and the length.
std::string Framed(std::string_view message);

// How a connection reads.
struct Streaming {
  // Bytes of a call's answers, as they come; the call by its number, from 0 on. The results then
  // know of no message. Empty: a call has one answer, which is for its result.
  std::function<void(size_t call, std::string_view bytes)> on_bytes;
  // HTTP/2's windows, of each stream and of the connection: what may be on its way, unread. Wide
  // enough that no answer ever waits for a WINDOW_UPDATE.
  int32_t window_bytes = 16 << 20;
};

// For one thread. Throws std::runtime_error where the connection as a whole fails, which ends the
// measurement: figures of a run that lost a connection mean nothing.
class GrpcConnection {
 public:
  // Connects before it returns. `address` is IPV4:PORT. Keys of `metadata` are lower case.
  GrpcConnection(const std::string& address, const std::string& path, Metadata metadata,
                 std::function<void(const CallResult&)> on_result, Streaming streaming = {});
  ~GrpcConnection();
  GrpcConnection(const GrpcConnection&) = delete;
  GrpcConnection& operator=(const GrpcConnection&) = delete;

  // Begins a call; nothing is sent before Flush(). It is to end with HTTP 200, one whole message
  // and grpc-status 0, and the message is to contain `expected`, or its result tells the fault.
  // Both texts outlive the call. May be called from `on_result`.
  void Call(std::string_view framed, std::string_view expected);

  // Reads what there is, up to 64 KiB or fewer bytes, and tells `on_result` of each call that
  // ended.
  void Receive(size_t most = kMostReceived);

  // Writes what the socket takes. False: there is more, come back when it is writable.
  bool Flush();

  int fd() const { return fd_; }

 private:
  static constexpr size_t kMostReceived = 64 << 10;

  struct Stream;
  struct Callbacks;

  Stream* TakeStream();
  void End(Stream* stream, uint32_t error_code);
  void StartSession();

  const std::string address_;
  const std::string path_;
  const Metadata metadata_;
  const std::function<void(const CallResult&)> on_result_;
  const Streaming streaming_;
  int fd_ = -1;
  nghttp2_session* session_ = nullptr;
  std::vector<nghttp2_nv> headers_;
  std::string unsent_;
  size_t calls_ = 0;                              // so far
  std::vector<std::unique_ptr<Stream>> streams_;  // all that were ever needed at once
  std::vector<Stream*> free_streams_;
};

}  // namespace pcap_gateway::bench

#endif  // PCAP_GATEWAY_TESTS_BENCH_GRPC_CONNECTION_H_
