#include "service/rpc/method.h"

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/get_pcap.h"
#include "service/rpc/message_bytes.h"
#include "service/rpc/request_fields.h"

namespace pcap_gateway {
namespace {

constexpr char kGetPcapPath[] = "/pcap.v1.PcapService/GetPcap";
constexpr int kGetPcapIndex = 0;

// The request as a message; null: it is none. Lives until the thread's next call.
template <typename Request>
const Request* Parsed(const grpc::ByteBuffer& bytes) {
  thread_local Request request;  // keeps its strings' memory from call to call
  return ParseBytes(bytes, request) ? &request : nullptr;
}

Error NotA(const google::protobuf::Descriptor* descriptor) {
  return Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidRequest,
               absl::StrCat("the request is not a valid ", descriptor->full_name()));
}

std::optional<Error> ReadGetPcap(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                 Query& query) {
  const auto* const request = Parsed<pcap::v1::GetPcapRequest>(bytes);
  if (request == nullptr) return NotA(pcap::v1::GetPcapRequest::descriptor());
  RequestFields fields;
  query.endpoint = &kGetPcap;
  query.account = fields.ReadIdOr("account_id", request->account_id(), defaults.account_id);
  query.resource = fields.ReadId("pcap_id", request->pcap_id());
  query.max_age =
      fields.ReadMaxAge("max_age", request->has_max_age() ? &request->max_age() : nullptr);
  return std::move(fields).error();
}

}  // namespace

AsyncPcapService::AsyncPcapService() {
  using grpc::internal::RpcMethod;
  AddMethod(
      new grpc::internal::RpcServiceMethod(kGetPcapPath, RpcMethod::CLIENT_STREAMING, nullptr));
  MarkMethodRaw(kGetPcapIndex);
}

void AsyncPcapService::RequestGetPcap(grpc::ServerContext* context, Responder* responder,
                                      grpc::ServerCompletionQueue* queue, void* tag) {
  RequestAsyncClientStreaming(kGetPcapIndex, context, responder, queue, queue, tag);
}

const Method kGetPcapMethod{
    .path = kGetPcapPath,
    .take = [](AsyncPcapService& service, grpc::ServerContext* context, Responder* responder,
               grpc::ServerCompletionQueue* queue,
               void* tag) { service.RequestGetPcap(context, responder, queue, tag); },
    .read = ReadGetPcap,
};

}  // namespace pcap_gateway
