// LastingStream: what OpenStreams asks of a stream that lasts longer than an answer takes.
#ifndef PCAP_GATEWAY_SERVICE_RPC_LASTING_STREAM_H_
#define PCAP_GATEWAY_SERVICE_RPC_LASTING_STREAM_H_

namespace pcap_gateway {

// On the thread of its queue. Neither call removes it from OpenStreams before it returns.
class LastingStream {
 public:
  // Whether its peer may still have it: looks, and ends it otherwise. About once a second.
  virtual void Look() = 0;
  // OpenStreams::Refresh or End was called.
  virtual void Refresh() = 0;

 protected:
  LastingStream() = default;
  ~LastingStream() = default;
  LastingStream(const LastingStream&) = delete;
  LastingStream& operator=(const LastingStream&) = delete;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_LASTING_STREAM_H_
