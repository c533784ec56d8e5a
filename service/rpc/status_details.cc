#include "service/rpc/status_details.h"

#include <algorithm>
#include <cstdint>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostValueBytes = 256;
constexpr size_t kMostEntries = 8;

std::string Short(absl::string_view text, size_t most = kMostValueBytes) {
  return std::string(Truncated(text, most));
}

google::rpc::ErrorInfo ErrorInfoOf(const Error& error) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(NameOf(error.reason)));
  info.set_domain("pcap.v1");
  for (const auto& [key, value] : error.metadata) {
    if (info.metadata().size() == kMostEntries) break;
    (*info.mutable_metadata())[Short(key, 64)] = Short(value);
  }
  return info;
}

google::rpc::BadRequest BadRequestOf(const Error& error) {
  google::rpc::BadRequest bad_request;
  for (const FieldViolation& violation : error.field_violations) {
    auto* const added = bad_request.add_field_violations();
    added->set_field(Short(violation.field, 64));
    added->set_description(Short(violation.description));
  }
  return bad_request;
}

google::rpc::RetryInfo RetryInfoOf(absl::Duration retry_after) {
  google::rpc::RetryInfo retry_info;
  retry_after = std::max(retry_after, absl::ZeroDuration());
  absl::Duration rest;
  const int64_t seconds = absl::IDivDuration(retry_after, absl::Seconds(1), &rest);
  retry_info.mutable_retry_delay()->set_seconds(seconds);
  retry_info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return retry_info;
}

google::rpc::Help HelpOf(absl::string_view url) {
  google::rpc::Help help;
  auto* const link = help.add_links();
  link->set_description("What Cloudflare says about it");
  link->set_url(Short(url, 512));
  return help;
}

google::rpc::RequestInfo RequestInfoOf(absl::string_view request_id, absl::string_view cf_ray) {
  google::rpc::RequestInfo request_info;
  request_info.set_request_id(Short(request_id));
  if (!cf_ray.empty()) request_info.set_serving_data("cf-ray: " + Short(cf_ray));
  return request_info;
}

// False where a message lacks a required field, of which these have none.
void Pack(const google::protobuf::Message& detail, google::protobuf::Any& any) {
  (void)any.PackFrom(detail);
}

void Add(const google::protobuf::Message& detail, google::rpc::Status& status) {
  Pack(detail, *status.add_details());
}

}  // namespace

absl::string_view Truncated(absl::string_view text, size_t most) {
  if (text.size() <= most) return text;
  // 10xxxxxx continues a sequence: go back to its first byte and leave it out.
  while (most > 0 && (static_cast<uint8_t>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most);
}

std::string SerializedStatus(const Error& error, absl::string_view request_id,
                             absl::string_view cf_ray) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(error.code));
  status.set_message(std::string(Truncated(error.message, kMostMessageBytes)));
  // Most important first: what does not fit is dropped from the end.
  Add(ErrorInfoOf(error), status);
  if (error.retry_after.has_value()) Add(RetryInfoOf(*error.retry_after), status);
  if (!request_id.empty() || !cf_ray.empty()) {
    Add(RequestInfoOf(request_id, cf_ray), status);
  }
  if (!error.field_violations.empty()) Add(BadRequestOf(error), status);
  if (!error.documentation_url.empty()) Add(HelpOf(error.documentation_url), status);
  while (status.ByteSizeLong() > kMostStatusBytes && status.details_size() > 1) {
    status.mutable_details()->RemoveLast();
  }
  if (status.ByteSizeLong() > kMostStatusBytes) {
    Error bare(error.code, error.reason, error.message);
    Pack(ErrorInfoOf(bare), *status.mutable_details(0));
  }
  return status.SerializeAsString();
}

}  // namespace pcap_gateway
