#include "service/rpc/raw_service.h"

#include <grpcpp/grpcpp.h>

namespace pcap_gateway {

RawService::RawService() {
  using grpc::internal::RpcMethod;
  // As the generated code for such a method does.
  for (const Method& method : Methods()) {
    AddMethod(
        new grpc::internal::RpcServiceMethod(method.path, RpcMethod::BIDI_STREAMING, nullptr));
    MarkMethodRaw(static_cast<int>(NumberOf(method)));
  }
}

void RawService::Request(const Method& method, grpc::ServerContext* context, Responder* responder,
                         grpc::ServerCompletionQueue* queue, void* tag) {
  RequestAsyncBidiStreaming(static_cast<int>(NumberOf(method)), context, responder, queue, queue,
                            tag);
}

}  // namespace pcap_gateway
