// ListeningSockets: the TCP sockets on which connections come, for all addresses that a HOST:PORT
// means.
#ifndef PCAP_GATEWAY_SERVICE_RPC_LISTENING_SOCKETS_H_
#define PCAP_GATEWAY_SERVICE_RPC_LISTENING_SOCKETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace pcap_gateway {

// Movable; closes its sockets.
class ListeningSockets {
 public:
  // Resolves HOST and listens on each of its addresses, all with one port: that of `address`, or,
  // where it is 0, the one that the first address got. 0.0.0.0 and [::] both mean every address of
  // either family. Fails where none can be listened on; some will do, as a name such as localhost
  // may have addresses that this machine lacks. A port that anybody else listens on is taken.
  static absl::StatusOr<ListeningSockets> Open(const std::string& address);

  ListeningSockets() = default;
  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&& other) noexcept;
  ~ListeningSockets();

  // Non-blocking. Valid while this is.
  const std::vector<int>& sockets() const { return sockets_; }

  // Of all of them; 0: there are none.
  int port() const { return port_; }

 private:
  std::vector<int> sockets_;
  int port_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_LISTENING_SOCKETS_H_
