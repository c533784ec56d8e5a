#include "client/status_details.h"

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace pcap_client {
namespace {

template <typename Detail>
std::optional<Detail> First(const google::rpc::Status& status) {
  for (const google::protobuf::Any& any : status.details()) {
    Detail detail;
    if (any.Is<Detail>() && any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

void Read(const google::rpc::ErrorInfo& info, CallError& error) {
  error.reason = info.reason();
  error.domain = info.domain();
  error.metadata = {info.metadata().begin(), info.metadata().end()};
}

void Read(const google::rpc::RetryInfo& info, CallError& error) {
  const absl::Duration delay =
      absl::Seconds(info.retry_delay().seconds()) + absl::Nanoseconds(info.retry_delay().nanos());
  if (info.has_retry_delay() && delay >= absl::ZeroDuration()) error.retry_after = delay;
}

void Read(const google::rpc::BadRequest& bad_request, CallError& error) {
  for (const auto& violation : bad_request.field_violations()) {
    error.field_violations.push_back({violation.field(), violation.description()});
  }
}

void Read(const google::rpc::Help& help, CallError& error) {
  for (const auto& link : help.links()) {
    error.help_links.push_back({link.description(), link.url()});
  }
}

void Read(const google::rpc::RequestInfo& info, CallError& error) {
  if (!info.request_id().empty()) error.request_id = info.request_id();
  absl::string_view serving_data = info.serving_data();
  if (absl::ConsumePrefix(&serving_data, "cf-ray: ")) error.cf_ray = std::string(serving_data);
}

template <typename... Details>
void ReadEach(const google::rpc::Status& status, CallError& error) {
  const auto read = [&](const auto& detail) {
    if (detail.has_value()) Read(*detail, error);
  };
  (read(First<Details>(status)), ...);
}

}  // namespace

void ReadStatusDetails(const std::string& details, CallError& error) {
  google::rpc::Status status;
  if (!status.ParseFromString(details)) return;
  ReadEach<google::rpc::ErrorInfo, google::rpc::RetryInfo, google::rpc::BadRequest,
           google::rpc::Help, google::rpc::RequestInfo>(status, error);
}

}  // namespace pcap_client
