// Method: one RPC as gRPC's edge sees it. How a call of it is taken, and how its request becomes a
// query.
#ifndef PCAP_GATEWAY_SERVICE_RPC_METHOD_H_
#define PCAP_GATEWAY_SERVICE_RPC_METHOD_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <optional>

#include "absl/strings/string_view.h"
#include "service/source/error.h"
#include "service/source/query.h"

namespace pcap_gateway {

// Reads the request, and sends the answer. Requests are parsed here, and answers are bytes that
// were serialised once.
using Responder = grpc::ServerAsyncReader<grpc::ByteBuffer, grpc::ByteBuffer>;

// The PcapService. To gRPC its methods are ones that stream requests, which on the wire is the
// same: of a unary call gRPC tells only once its message has come, and keeps all whose message
// never does, without a bound.
class AsyncPcapService final : public grpc::Service {
 public:
  AsyncPcapService();

  // `tag` comes with the call's metadata.
  void RequestGetPcap(grpc::ServerContext* context, Responder* responder,
                      grpc::ServerCompletionQueue* queue, void* tag);
};

// What the service knows for callers who do not say it.
struct CallDefaults {
  std::optional<Id> account_id;
};

struct Method {
  absl::string_view path;  // as in HTTP/2: "/pcap.v1.PcapService/GetPcap"
  // Asks gRPC for the next call of this method; `tag` comes when there is one.
  void (*take)(AsyncPcapService& service, grpc::ServerContext* context, Responder* responder,
               grpc::ServerCompletionQueue* queue, void* tag);
  // Fills in the query's endpoint, ids and max_age, or says what is wrong with the request.
  std::optional<Error> (*read)(const grpc::ByteBuffer& request, const CallDefaults& defaults,
                               Query& query);
};

// GET /accounts/{account_id}/pcaps/{pcap_id}.
extern const Method kGetPcapMethod;

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_METHOD_H_
