#include "service/rpc/reply.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/rpc/status_details.h"

namespace pcap_gateway {
namespace {

// Above this many bytes sharing the cached message costs less than copying it; below, the two small
// allocations that sharing needs cost more than the copy.
constexpr size_t kShareFromBytes = 2048;

// The metadata of one reply. Values are made of our own literals, of numbers, or were validated
// where they entered; this is the last look.
class MetadataWriter {
 public:
  MetadataWriter(bool trailing, grpc::ServerContextBase& context)
      : trailing_(trailing), context_(context) {}

  void Add(const char* key, const std::string& value) {
    const bool valid =
        !value.empty() && std::all_of(value.begin(), value.end(),
                                      [](unsigned char c) { return absl::ascii_isprint(c); });
    if (!valid) return;
    if (trailing_) {
      context_.AddTrailingMetadata(key, value);
    } else {
      context_.AddInitialMetadata(key, value);
    }
  }

 private:
  const bool trailing_;
  grpc::ServerContextBase& context_;
};

absl::string_view Words(CacheStatus::How how) {
  switch (how) {
    case CacheStatus::How::kHit:
      return "pcap-gateway; hit";
    case CacheStatus::How::kUriMiss:
      return "pcap-gateway; fwd=uri-miss";
    case CacheStatus::How::kStale:
      return "pcap-gateway; fwd=stale";
    case CacheStatus::How::kRequest:
      return "pcap-gateway; fwd=request";
    case CacheStatus::How::kBypass:
      return "pcap-gateway; fwd=bypass";
    case CacheStatus::How::kOnlyIfCached:
      return "pcap-gateway; detail=only-if-cached";
    case CacheStatus::How::kNotForwarded:
      return "";
  }
  return "";
}

grpc::StatusCode CodeOf(absl::StatusCode code) {
  return static_cast<grpc::StatusCode>(code);  // the same numbers, by Abseil's promise
}

// Whether the gateway has asked again where that could help, or leaves Cloudflare alone.
bool WasRepeated(const Outcome& outcome) {
  return !outcome.ok() && (outcome.error->reason == Reason::kUpstreamUnavailable ||
                           outcome.error->reason == Reason::kUpstreamUnreachable);
}

}  // namespace

std::string CacheStatusText(const CacheStatus& status) {
  const absl::string_view words = Words(status.how);
  if (words.empty()) return "";
  std::string text(words.data(), words.size());
  if (status.forward_status != 0) absl::StrAppend(&text, "; fwd-status=", status.forward_status);
  if (status.stored) absl::StrAppend(&text, "; stored");
  if (status.collapsed) absl::StrAppend(&text, "; collapsed");
  if (status.ttl.has_value()) {
    // Downwards, so that what is stale by half a second is not said to be fresh for 0.
    absl::StrAppend(&text,
                    "; ttl=", absl::ToInt64Seconds(absl::Floor(*status.ttl, absl::Seconds(1))));
  }
  if (status.stale_if_error) {
    absl::StrAppend(&text, "; detail=stale-if-error");
  } else if (status.shared) {
    absl::StrAppend(&text, "; detail=shared");
  }
  return text;
}

void AddResponseMetadata(const Reply& reply, absl::string_view request_id, bool streamed,
                         grpc::ServerContextBase& context) {
  const Outcome& outcome = *reply.outcome;
  MetadataWriter metadata(/*trailing=*/streamed || !outcome.ok(), context);
  metadata.Add("cache-status", CacheStatusText(reply.cache_status));
  if (outcome.http_status != 0) {
    metadata.Add("age", absl::StrCat(absl::ToInt64Seconds(reply.age)));
    const CacheStatus& status = reply.cache_status;
    const bool kept = status.how == CacheStatus::How::kHit || status.stale_if_error;
    if (!kept) metadata.Add("cf-ray", std::string(outcome.cf_ray.text()));
  }
  if (WasRepeated(outcome)) metadata.Add("grpc-retry-pushback-ms", "-1");
  metadata.Add("x-request-id", std::string(request_id));
}

grpc::ByteBuffer MessageBytes(const OutcomePtr& outcome) {
  const std::string& message = outcome->message;
  if (message.size() < kShareFromBytes) {
    const grpc::Slice slice(message.data(), message.size());
    return grpc::ByteBuffer(&slice, 1);
  }
  const auto drop = [](void* held) { delete static_cast<OutcomePtr*>(held); };
  const grpc::Slice slice(const_cast<char*>(message.data()), message.size(), drop,
                          new OutcomePtr(outcome));
  return grpc::ByteBuffer(&slice, 1);
}

grpc::Status StatusOf(const Outcome& outcome, absl::string_view request_id) {
  if (outcome.ok()) return grpc::Status::OK;
  const Error& error = *outcome.error;
  return grpc::Status(CodeOf(error.code), std::string(Truncated(error.message, kMostMessageBytes)),
                      SerializedStatus(error, request_id, outcome.cf_ray.text()));
}

}  // namespace pcap_gateway
