// ListeningSockets: the TCP sockets on which connections come, for all addresses that a HOST:PORT
// means.
#ifndef PCAP_GATEWAY_SERVICE_NET_LISTENING_SOCKETS_H_
#define PCAP_GATEWAY_SERVICE_NET_LISTENING_SOCKETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace pcap_gateway {

// Movable; closes its sockets.
class ListeningSockets {
 public:
  // Resolves HOST and listens on each of its addresses, all with one port: that of `address`, or,
  // where it is 0, one that is free at each. 0.0.0.0 and [::] both mean every address of either
  // family. Addresses of the name that this machine lacks are left out, as localhost may have one.
  // Fails where none is left, or one cannot be listened on: a port that anybody else listens on at
  // one of them is taken (ALREADY_EXISTS). The message says why; of a name with several, where,
  // too.
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
  static absl::StatusOr<ListeningSockets> OpenAll(const char* host, const char* port,
                                                  bool dual_stack);

  std::vector<int> sockets_;
  int port_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_NET_LISTENING_SOCKETS_H_
