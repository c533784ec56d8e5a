#include "service/rpc/status_details.h"

#include <gtest/gtest.h>

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace pcap_gateway {
namespace {

google::rpc::Status Parsed(const std::string& serialised) {
  google::rpc::Status status;
  EXPECT_TRUE(status.ParseFromString(serialised));
  return status;
}

// The detail of type T; fails the test unless there is exactly one.
template <typename T>
T Only(const google::rpc::Status& status) {
  T found;
  int count = 0;
  for (const auto& detail : status.details()) {
    if (detail.Is<T>()) {
      EXPECT_TRUE(detail.UnpackTo(&found));
      ++count;
    }
  }
  EXPECT_EQ(count, 1) << T::descriptor()->full_name();
  return found;
}

Error FullError() {
  Error error(absl::StatusCode::kResourceExhausted, Reason::kRateLimited, "too many requests");
  error.metadata = {{"httpStatus", "429"}};
  error.field_violations = {{"pcap_id", "is odd"}};
  error.retry_after = absl::Milliseconds(1500);
  error.documentation_url = "https://developers.cloudflare.com/x";
  return error;
}

TEST(SerializedStatus, CarriesEveryDetailThatThereIs) {
  const auto status = Parsed(SerializedStatus(FullError(), "req-1", "8f1-AMS"));
  EXPECT_EQ(status.code(), 8);
  EXPECT_EQ(status.message(), "too many requests");
  const auto info = Only<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.domain(), "pcap.v1");
  EXPECT_EQ(info.reason(), "RATE_LIMITED");
  EXPECT_EQ(info.metadata().at("httpStatus"), "429");
  const auto retry = Only<google::rpc::RetryInfo>(status);
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
  EXPECT_EQ(Only<google::rpc::BadRequest>(status).field_violations(0).field(), "pcap_id");
  EXPECT_EQ(Only<google::rpc::Help>(status).links(0).url(), "https://developers.cloudflare.com/x");
  EXPECT_EQ(Only<google::rpc::RequestInfo>(status).request_id(), "req-1");
  EXPECT_EQ(Only<google::rpc::RequestInfo>(status).serving_data(), "cf-ray: 8f1-AMS");
}

TEST(SerializedStatus, HasNoDetailThatSaysNothing) {
  const Error error(absl::StatusCode::kInternal, Reason::kInternal, "oh");
  EXPECT_EQ(Parsed(SerializedStatus(error, "", "")).details_size(), 1);
}

TEST(SerializedStatus, NeverExceedsItsBoundAndNeverLosesTheReason) {
  Error error = FullError();
  error.message = std::string(100'000, 'm');
  error.documentation_url = "https://" + std::string(5000, 'u');
  for (int i = 0; i < 100; ++i) {
    error.metadata.emplace_back("key" + std::to_string(i), std::string(5000, 'v'));
    error.field_violations.push_back({std::string(500, 'f'), std::string(5000, 'd')});
  }
  const std::string serialised = SerializedStatus(error, std::string(500, 'r'), "8f1-AMS");
  EXPECT_LE(serialised.size(), kMostStatusBytes);
  const auto status = Parsed(serialised);
  EXPECT_EQ(status.message().size(), kMostMessageBytes);
  EXPECT_EQ(Only<google::rpc::ErrorInfo>(status).reason(), "RATE_LIMITED");
}

TEST(Truncated, NeverCutsACharacterInTwo) {
  const std::string text = "ab\xe2\x82\xac";  // "ab€"
  EXPECT_EQ(Truncated(text, 5), text);
  EXPECT_EQ(Truncated(text, 4), "ab");
  EXPECT_EQ(Truncated(text, 3), "ab");
  EXPECT_EQ(Truncated(text, 2), "ab");
  EXPECT_EQ(Truncated(text, 0), "");
}

}  // namespace
}  // namespace pcap_gateway
