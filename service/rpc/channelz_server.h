// ChannelzServer: grpc.channelz.v1 about all gRPC servers of this process, on a port of its own.
#ifndef PCAP_GATEWAY_SERVICE_RPC_CHANNELZ_SERVER_H_
#define PCAP_GATEWAY_SERVICE_RPC_CHANNELZ_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace pcap_gateway {

class ChannelzServer {
 public:
  // Serving when this returns. `address`: HOST:PORT; port 0 takes a free one. Fails where it cannot
  // be listened on.
  //
  // After all other servers of the process were built: gRPC's plugin puts its service, with threads
  // that would take part in their calls, into each server that is built later.
  static absl::StatusOr<std::unique_ptr<ChannelzServer>> Start(const std::string& address);

  // Ends its calls at once.
  ~ChannelzServer();

  // HOST:PORT with the port that was taken.
  const std::string& address() const { return address_; }

 private:
  struct Parts;
  ChannelzServer(std::unique_ptr<Parts> parts, std::string address);

  std::unique_ptr<Parts> parts_;
  const std::string address_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CHANNELZ_SERVER_H_
