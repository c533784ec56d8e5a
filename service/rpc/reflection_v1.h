// grpc.reflection.v1 over the descriptors that are linked into this program.
//
// gRPC 1.51 brings only v1alpha, which newer tools no longer ask for. The answers are the same as
// v1alpha's.
#ifndef PCAP_GATEWAY_SERVICE_RPC_REFLECTION_V1_H_
#define PCAP_GATEWAY_SERVICE_RPC_REFLECTION_V1_H_

#include <string>
#include <vector>

#include "grpc/reflection/v1/reflection.grpc.pb.h"

namespace pcap_gateway {

// The answer to one request of a reflection stream. An unknown name is an `error_response` of code
// NOT_FOUND, never the end of the stream. Pure, but for the descriptor pool.
grpc::reflection::v1::ServerReflectionResponse Reflect(
    const grpc::reflection::v1::ServerReflectionRequest& request,
    const std::vector<std::string>& services);

// Thread-safe.
class ReflectionV1 final : public grpc::reflection::v1::ServerReflection::CallbackService {
 public:
  // `services`: full names of the services to list.
  explicit ReflectionV1(std::vector<std::string> services);

  grpc::ServerBidiReactor<grpc::reflection::v1::ServerReflectionRequest,
                          grpc::reflection::v1::ServerReflectionResponse>*
  ServerReflectionInfo(grpc::CallbackServerContext* context) override;

 private:
  const std::vector<std::string> services_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_REFLECTION_V1_H_
