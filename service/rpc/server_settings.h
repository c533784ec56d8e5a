// What the gateway sets at a gRPC server, whichever calls it answers.
//
//   grpc::ServerBuilder builder;
//   AddServerSettings(builder, /*channelz=*/false);
#ifndef PCAP_GATEWAY_SERVICE_RPC_SERVER_SETTINGS_H_
#define PCAP_GATEWAY_SERVICE_RPC_SERVER_SETTINGS_H_

#include <grpcpp/grpcpp.h>

namespace pcap_gateway {

// Keepalive, the age of connections, and bounds on headers, messages and memory. The benchmark's
// bare server has the same: a filter that ends old connections takes a tenth of a small call.
//
//   channelz   whether gRPC counts what channelz shows
void AddServerSettings(grpc::ServerBuilder& builder, bool channelz);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_SERVER_SETTINGS_H_
