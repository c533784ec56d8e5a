// Asks callers to leave, while all calls are still served.
//
// What gRPC has for it in public is grpc::Server::Shutdown alone, and that loses calls. Its GOAWAY
// goes out in the graceful way (RFC 9113, 6.8): first "no more, please", then, when the peer has
// answered a PING, the number of the last stream that was taken. But from Shutdown's first moment
// on it kills new calls (server.cc, CallData::StartNewRpc), so what a caller had sent before the
// first GOAWAY reached it ends with CANCELLED, which nobody repeats: about one call of each busy
// client that does not watch our health. GOAWAY has to come first, and Shutdown when everybody has
// left.
#ifndef PCAP_GATEWAY_SERVICE_RPC_GOAWAY_H_
#define PCAP_GATEWAY_SERVICE_RPC_GOAWAY_H_

#include <grpcpp/server.h>

namespace pcap_gateway {

// Sends each connection a GOAWAY in the graceful way; calls that come in spite of it are served.
// Connections close with their last call. May be repeated: who was asked is not asked again. False:
// this gRPC is none for which we know how.
bool AskCallersToLeave(grpc::Server& server);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_GOAWAY_H_
