#include "service/rpc/method.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "pcap/v1/pcap_ownership_service.pb.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/create_pcap.h"
#include "service/endpoints/download_pcap.h"
#include "service/endpoints/get_pcap.h"
#include "service/endpoints/list_pcaps.h"
#include "service/endpoints/ownerships.h"
#include "service/endpoints/stop_pcap.h"
#include "service/rpc/create_request.h"
#include "service/rpc/download_feed.h"
#include "service/rpc/feed.h"
#include "service/rpc/message_bytes.h"
#include "service/rpc/request_fields.h"
#include "service/rpc/watch_feed.h"

namespace pcap_gateway {
namespace {

// The request as a message; null: it is none. Lives until the thread's next call.
template <typename Request>
const Request* Parsed(const grpc::ByteBuffer& bytes) {
  thread_local Request request;  // keeps its strings' memory from call to call
  return ParseBytes(bytes, request) ? &request : nullptr;
}

// What all requests begin with, into `query`: the message, the endpoint, the account. Then
// `read_rest` takes the rest of the request.
template <typename Request, typename ReadRest>
std::optional<Error> ReadRequest(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                 const Endpoint& endpoint, Query& query, ReadRest read_rest) {
  const auto* const request = Parsed<Request>(bytes);
  if (request == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, Reason::kInvalidRequest,
                 absl::StrCat("the request is not a valid ", Request::descriptor()->full_name()));
  }
  RequestFields fields;
  query.endpoint = &endpoint;
  query.account = fields.ReadIdOr("account_id", request->account_id(), defaults.account_id);
  read_rest(*request, fields);
  return std::move(fields).error();
}

template <typename Request>
absl::Duration MaxAgeOf(const Request& request, RequestFields& fields) {
  return fields.ReadMaxAge("max_age", request.has_max_age() ? &request.max_age() : nullptr);
}

std::optional<Error> ReadGetPcap(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                 Query& query) {
  return ReadRequest<pcap::v1::GetPcapRequest>(
      bytes, defaults, kGetPcap, query, [&](const auto& request, RequestFields& fields) {
        query.resource = fields.ReadId("pcap_id", request.pcap_id());
        query.max_age = MaxAgeOf(request, fields);
      });
}

std::optional<Error> ReadListPcaps(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                   Query& query) {
  return ReadRequest<pcap::v1::ListPcapsRequest>(bytes, defaults, kListPcaps, query,
                                                 [&](const auto& request, RequestFields& fields) {
                                                   query.max_age = MaxAgeOf(request, fields);
                                                 });
}

// A list has no more of them, and a list is what all are told from.
constexpr int kMostWatched = 50;

std::optional<Error> ReadWatchPcaps(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                    Query& query) {
  return ReadRequest<pcap::v1::WatchPcapsRequest>(
      bytes, defaults, kListPcaps, query, [&](const auto& request, RequestFields& fields) {
        query.resources = fields.ReadIds("pcap_ids", request.pcap_ids(), kMostWatched);
        // For the log.
        if (query.resources != nullptr && query.resources->size() == 1) {
          query.resource = query.resources->front();
        }
      });
}

std::optional<Error> ReadDownloadPcap(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                      Query& query) {
  return ReadRequest<pcap::v1::DownloadPcapRequest>(
      bytes, defaults, kDownloadPcap, query, [&](const auto& request, RequestFields& fields) {
        query.resource = fields.ReadId("pcap_id", request.pcap_id());
      });
}

std::optional<Error> ReadCreatePcap(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                    Query& query) {
  return ReadRequest<pcap::v1::CreatePcapRequest>(bytes, defaults, kCreatePcap, query,
                                                  [&](const auto& request, RequestFields& fields) {
                                                    CheckCreate(request, absl::Now(), fields);
                                                    query.body = BodyOf(request);
                                                    query.write_id = request.request_id();
                                                  });
}

std::optional<Error> ReadStopPcap(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                  Query& query) {
  return ReadRequest<pcap::v1::StopPcapRequest>(
      bytes, defaults, kStopPcap, query, [&](const auto& request, RequestFields& fields) {
        query.resource = fields.ReadId("pcap_id", request.pcap_id());
        query.body = std::make_shared<const std::string>();  // a PUT has a length
      });
}

// More than any file that Cloudflare writes as a proof.
constexpr size_t kMostChallenge = 4096;

std::optional<Error> ReadListOwnerships(const grpc::ByteBuffer& bytes, const CallDefaults& defaults,
                                        Query& query) {
  return ReadRequest<pcap::v1::ListOwnershipsRequest>(
      bytes, defaults, kListOwnerships, query, [&](const auto& request, RequestFields& fields) {
        query.max_age = MaxAgeOf(request, fields);
      });
}

std::optional<Error> ReadCreateOwnership(const grpc::ByteBuffer& bytes,
                                         const CallDefaults& defaults, Query& query) {
  return ReadRequest<pcap::v1::CreateOwnershipRequest>(
      bytes, defaults, kCreateOwnership, query, [&](const auto& request, RequestFields& fields) {
        fields.CheckDestination("destination_conf", request.destination_conf());
        query.body = BodyOf(request);
      });
}

std::optional<Error> ReadValidateOwnership(const grpc::ByteBuffer& bytes,
                                           const CallDefaults& defaults, Query& query) {
  return ReadRequest<pcap::v1::ValidateOwnershipRequest>(
      bytes, defaults, kValidateOwnership, query, [&](const auto& request, RequestFields& fields) {
        fields.CheckDestination("destination_conf", request.destination_conf());
        fields.CheckText("ownership_challenge", request.ownership_challenge(), 1, kMostChallenge);
        query.body = BodyOf(request);
      });
}

std::optional<Error> ReadDeleteOwnership(const grpc::ByteBuffer& bytes,
                                         const CallDefaults& defaults, Query& query) {
  return ReadRequest<pcap::v1::DeleteOwnershipRequest>(
      bytes, defaults, kDeleteOwnership, query, [&](const auto& request, RequestFields& fields) {
        query.resource = fields.ReadId("ownership_id", request.ownership_id());
      });
}

// THE list.
constexpr std::array kMethods = {
    Method{.path = "/pcap.v1.PcapService/GetPcap", .ahead = 64, .read = ReadGetPcap},
    Method{.path = "/pcap.v1.PcapService/ListPcaps", .read = ReadListPcaps},
    Method{
        .path = "/pcap.v1.PcapService/WatchPcaps", .read = ReadWatchPcaps, .feed = MakeWatchFeed},
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
    Method{.path = "/pcap.v1.PcapOwnershipService/ListOwnerships", .read = ReadListOwnerships},
    Method{.path = "/pcap.v1.PcapOwnershipService/CreateOwnership",
           .read = ReadCreateOwnership,
           .permission = Permission::kWrite},
    Method{.path = "/pcap.v1.PcapOwnershipService/ValidateOwnership",
           .read = ReadValidateOwnership,
           .permission = Permission::kWrite},
    Method{.path = "/pcap.v1.PcapOwnershipService/DeleteOwnership",
           .read = ReadDeleteOwnership,
           .permission = Permission::kWrite},
};

}  // namespace

absl::Span<const Method> Methods() { return kMethods; }

size_t NumberOf(const Method& method) { return static_cast<size_t>(&method - kMethods.data()); }

}  // namespace pcap_gateway
