// RawService: the methods of Methods() as gRPC takes them, with requests and answers as bytes.
#ifndef PCAP_GATEWAY_SERVICE_RPC_RAW_SERVICE_H_
#define PCAP_GATEWAY_SERVICE_RPC_RAW_SERVICE_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include "service/rpc/method.h"

namespace pcap_gateway {

// Reads the request, and sends the answers. Requests are parsed here, and answers are bytes that
// were serialised once.
using Responder = grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

// To gRPC its methods are ones that stream requests and answers, whatever their shape, which on the
// wire is the same: of a call with a single request gRPC tells only once its message has come, and
// keeps all whose message never does, without a bound.
class RawService final : public grpc::Service {
 public:
  RawService();

  // Asks gRPC for the next call of `method`; `tag` comes with the call's metadata.
  void Request(const Method& method, grpc::ServerContext* context, Responder* responder,
               grpc::ServerCompletionQueue* queue, void* tag);
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_RAW_SERVICE_H_
