#include "service/rpc/pcap_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "service/endpoints/get_pcap.h"
#include "service/rpc/call_headers.h"
#include "service/rpc/reply.h"
#include "service/rpc/request_fields.h"
#include "service/rpc/waiting_call.h"

namespace pcap_gateway {
namespace {

absl::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

// Requests are small and come in one slice; one that came in more is put together first.
bool ParseBytes(const grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  grpc::Slice slice;
  if (!bytes.TrySingleSlice(&slice).ok() && !bytes.DumpToSingleSlice(&slice).ok()) return false;
  return message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

}  // namespace

PcapService::PcapService(Source& source, PcapServiceOptions options)
    : source_(source), options_(std::move(options)) {}

grpc::ServerUnaryReactor* PcapService::GetPcap(grpc::CallbackServerContext* context,
                                               const grpc::ByteBuffer* request,
                                               grpc::ByteBuffer* response) {
  return Serve<pcap::v1::GetPcapRequest>(
      kGetPcap, *request,
      [this](const pcap::v1::GetPcapRequest& message, Query& query) {
        RequestFields fields;
        query.account =
            fields.ReadIdOr("account_id", message.account_id(), options_.default_account_id);
        query.resource = fields.ReadId("pcap_id", message.pcap_id());
        query.max_age =
            fields.ReadMaxAge("max_age", message.has_max_age() ? &message.max_age() : nullptr);
        return std::move(fields).error();
      },
      *context, *response);
}

template <typename Request, typename Read>
grpc::ServerUnaryReactor* PcapService::Serve(const Endpoint& endpoint,
                                             const grpc::ByteBuffer& bytes, Read read,
                                             grpc::CallbackServerContext& context,
                                             grpc::ByteBuffer& response) {
  stats_.started.Add();
  thread_local Request request;  // keeps its strings' memory from call to call
  Query query;
  query.endpoint = &endpoint;
  std::optional<Error> error;
  if (!ParseBytes(bytes, request)) {
    error = Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidRequest,
                  absl::StrCat("the request is not a valid ", request.GetTypeName()));
  } else {
    error = read(request, query);
  }
  const std::optional<Error> headers_error = ReadHeaders(context, query);
  if (!error.has_value()) error = headers_error;
  if (error.has_value()) return Fail(*std::move(error), query.trace.request_id, context);

  if (std::optional<Reply> reply = source_.AtHand(query)) {
    const Outcome& outcome = *reply->outcome;
    AddResponseMetadata(*reply, query.trace.request_id, context);
    if (outcome.ok()) response = MessageBytes(reply->outcome);
    stats_.CountHandled(outcome);
    auto* const reactor = context.DefaultReactor();
    reactor->Finish(StatusOf(outcome, query.trace.request_id));
    return reactor;
  }
  // From here on the call can be found again upstream, so it gets a name if it has none.
  if (query.trace.request_id.empty()) query.trace.request_id = NewRequestId();
  return WaitingCall::Start(source_, std::move(query), context, response, stats_);
}

// What the call's metadata adds to the query. The trace is filled in even when there is an error to
// tell.
std::optional<Error> PcapService::ReadHeaders(const grpc::CallbackServerContext& context,
                                              Query& query) const {
  CallHeaders headers;
  for (const auto& [key, value] : context.client_metadata()) headers.Read(View(key), View(value));
  query.max_age = std::min(query.max_age, headers.max_age());
  query.trace = headers.trace();
  query.deadline = absl::FromChrono(context.deadline());
  if (options_.service_credential != nullptr) {
    query.credential = options_.service_credential;
    return std::nullopt;
  }
  auto credential = headers.credential();
  if (auto* const error = std::get_if<Error>(&credential)) return std::move(*error);
  query.credential = std::get<std::shared_ptr<const Credential>>(std::move(credential));
  return std::nullopt;
}

grpc::ServerUnaryReactor* PcapService::Fail(Error error, std::string request_id,
                                            grpc::CallbackServerContext& context) {
  if (request_id.empty()) request_id = NewRequestId();
  const Reply reply = FailedReply(std::move(error));
  stats_.CountHandled(*reply.outcome);
  AddResponseMetadata(reply, request_id, context);
  auto* const reactor = context.DefaultReactor();
  reactor->Finish(StatusOf(*reply.outcome, request_id));
  return reactor;
}

}  // namespace pcap_gateway
