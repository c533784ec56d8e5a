#include "service/rpc/method.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/create_pcap.h"
#include "service/endpoints/download_pcap.h"
#include "service/endpoints/get_pcap.h"
#include "service/endpoints/list_pcaps.h"
#include "service/endpoints/stop_pcap.h"
#include "service/rpc/create_request.h"
#include "service/rpc/download_feed.h"
#include "service/rpc/feed.h"
#include "service/rpc/message_bytes.h"
#include "service/rpc/request_fields.h"

namespace pcap_gateway {
namespace {

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

std::optional<Error> ReadListPcaps(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                   Query& query) {
  const auto* const request = Parsed<pcap::v1::ListPcapsRequest>(bytes);
  if (request == nullptr) return NotA(pcap::v1::ListPcapsRequest::descriptor());
  RequestFields fields;
  query.endpoint = &kListPcaps;
  query.account = fields.ReadIdOr("account_id", request->account_id(), defaults.account_id);
  query.max_age =
      fields.ReadMaxAge("max_age", request->has_max_age() ? &request->max_age() : nullptr);
  return std::move(fields).error();
}

std::optional<Error> ReadDownloadPcap(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                      Query& query) {
  const auto* const request = Parsed<pcap::v1::DownloadPcapRequest>(bytes);
  if (request == nullptr) return NotA(pcap::v1::DownloadPcapRequest::descriptor());
  RequestFields fields;
  query.endpoint = &kDownloadPcap;
  query.account = fields.ReadIdOr("account_id", request->account_id(), defaults.account_id);
  query.resource = fields.ReadId("pcap_id", request->pcap_id());
  return std::move(fields).error();
}

std::optional<Error> ReadCreatePcap(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                    Query& query) {
  const auto* const request = Parsed<pcap::v1::CreatePcapRequest>(bytes);
  if (request == nullptr) return NotA(pcap::v1::CreatePcapRequest::descriptor());
  RequestFields fields;
  query.endpoint = &kCreatePcap;
  query.account = fields.ReadIdOr("account_id", request->account_id(), defaults.account_id);
  CheckCreate(*request, absl::Now(), fields);
  query.body = BodyOf(*request);
  query.write_id = request->request_id();
  return std::move(fields).error();
}

std::optional<Error> ReadStopPcap(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                  Query& query) {
  const auto* const request = Parsed<pcap::v1::StopPcapRequest>(bytes);
  if (request == nullptr) return NotA(pcap::v1::StopPcapRequest::descriptor());
  RequestFields fields;
  query.endpoint = &kStopPcap;
  query.account = fields.ReadIdOr("account_id", request->account_id(), defaults.account_id);
  query.resource = fields.ReadId("pcap_id", request->pcap_id());
  query.body = std::make_shared<const std::string>();  // a PUT has a length
  return std::move(fields).error();
}

// THE list.
constexpr std::array kMethods = {
    Method{.path = "/pcap.v1.PcapService/GetPcap", .ahead = 64, .read = ReadGetPcap},
    Method{.path = "/pcap.v1.PcapService/ListPcaps", .read = ReadListPcaps},
    Method{.path = "/pcap.v1.PcapService/CreatePcap",
           .read = ReadCreatePcap,
           .permission = Permission::kWrite},
    Method{.path = "/pcap.v1.PcapService/StopPcap",
           .read = ReadStopPcap,
           .permission = Permission::kWrite},
    Method{.path = "/pcap.v1.PcapService/DownloadPcap",
           .read = ReadDownloadPcap,
           .permission = Permission::kDownload,
           .feed = MakeDownloadFeed},
};

}  // namespace

absl::Span<const Method> Methods() { return kMethods; }

size_t NumberOf(const Method& method) { return static_cast<size_t>(&method - kMethods.data()); }

}  // namespace pcap_gateway
