// gRPC reflection, v1 and v1alpha, over the descriptors that are linked into this program.
//
// The two versions differ in the service's name alone: their messages are the same on the wire.
#ifndef PCAP_GATEWAY_SERVICE_RPC_REFLECTION_H_
#define PCAP_GATEWAY_SERVICE_RPC_REFLECTION_H_

#include <string>
#include <vector>

#include "grpc/reflection/v1/reflection.pb.h"
#include "service/rpc/open_streams.h"

namespace pcap_gateway {

// The answer to one request of a reflection stream. An unknown name is an `error_response` of code
// NOT_FOUND, never the end of the stream. Pure, except for the descriptor pool.
grpc::reflection::v1::ServerReflectionResponse Reflect(
    const grpc::reflection::v1::ServerReflectionRequest& request,
    const std::vector<std::string>& services);

// The services of both versions.
std::vector<std::string> ReflectionServices();

// `services`: full names of the services to list; outlives the streams of the methods.
void AddReflectionMethods(const std::vector<std::string>& services, StreamMethods& methods);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_REFLECTION_H_
