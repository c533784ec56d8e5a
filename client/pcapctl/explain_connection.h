// Explains why there is no connection, where gRPC's own words do not.
//
//   the gateway at gateway:443 speaks TLS: try --tls
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_EXPLAIN_CONNECTION_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_EXPLAIN_CONNECTION_H_

#include "pcap_client/pcap_client.h"

namespace pcap_client {

// `error` of a client with `options`, its message replaced where one side speaks TLS and the other
// does not. Asks the target by a connection of its own, for 2 s at most; blocks. An error of
// another kind, or a target that is not HOST:PORT, comes back as it is.
CallError Explained(CallError error, const ClientOptions& options);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_EXPLAIN_CONNECTION_H_
