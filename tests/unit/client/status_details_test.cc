#include "client/status_details.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace pcap_client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// What ReadStatusDetails makes of a Status with these details.
template <typename... Details>
CallError Read(const Details&... details) {
  google::rpc::Status status;
  EXPECT_TRUE((status.add_details()->PackFrom(details) && ...));
  CallError error;
  ReadStatusDetails(status.SerializeAsString(), error);
  return error;
}

google::rpc::RetryInfo RetryAfter(int64_t seconds, int32_t nanos) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(seconds);
  info.mutable_retry_delay()->set_nanos(nanos);
  return info;
}

google::rpc::ErrorInfo Reason(const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  return info;
}

TEST(StatusDetails, ErrorInfoGivesReasonDomainAndMetadata) {
  google::rpc::ErrorInfo info = Reason("PCAP_NOT_FOUND");
  info.set_domain("pcap.v1");
  (*info.mutable_metadata())["httpStatus"] = "404";
  const CallError error = Read(info);
  EXPECT_EQ(error.reason, "PCAP_NOT_FOUND");
  EXPECT_EQ(error.domain, "pcap.v1");
  EXPECT_THAT(error.metadata, ElementsAre(Pair("httpStatus", "404")));
}

TEST(StatusDetails, RetryInfoGivesTheDelay) {
  EXPECT_EQ(Read(RetryAfter(30, 500'000'000)).retry_after, absl::Milliseconds(30'500));
  EXPECT_EQ(Read(RetryAfter(0, 0)).retry_after, absl::ZeroDuration());
}

TEST(StatusDetails, ADelayThatMakesNoSenseIsNone) {
  EXPECT_EQ(Read(RetryAfter(-1, 0)).retry_after, std::nullopt);
  EXPECT_EQ(Read(RetryAfter(std::numeric_limits<int64_t>::min(), 0)).retry_after, std::nullopt);
  EXPECT_EQ(Read(google::rpc::RetryInfo()).retry_after, std::nullopt);
}

TEST(StatusDetails, BadRequestGivesEachViolation) {
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field("pcap_id");
  violation->set_description("has 31 characters");
  bad_request.add_field_violations()->set_field("max_age");
  const CallError error = Read(bad_request);
  ASSERT_EQ(error.field_violations.size(), 2u);
  EXPECT_EQ(error.field_violations[0].field, "pcap_id");
  EXPECT_EQ(error.field_violations[0].description, "has 31 characters");
  EXPECT_EQ(error.field_violations[1].field, "max_age");
}

TEST(StatusDetails, HelpGivesTheLinks) {
  google::rpc::Help help;
  help.add_links()->set_url("https://developers.cloudflare.com/");
  const CallError error = Read(help);
  ASSERT_EQ(error.help_links.size(), 1u);
  EXPECT_EQ(error.help_links[0].url, "https://developers.cloudflare.com/");
}

TEST(StatusDetails, RequestInfoGivesRequestIdAndRay) {
  google::rpc::RequestInfo info;
  info.set_request_id("r-1");
  info.set_serving_data("cf-ray: 8f0-AMS");
  const CallError error = Read(info);
  EXPECT_EQ(error.request_id, "r-1");
  EXPECT_EQ(error.cf_ray, "8f0-AMS");
}

TEST(StatusDetails, WhatMetadataSaidStaysWhereDetailsAreSilent) {
  CallError error{.request_id = "from metadata", .cf_ray = "ray"};
  google::rpc::Status status;
  ASSERT_TRUE(status.add_details()->PackFrom(google::rpc::RequestInfo()));
  ReadStatusDetails(status.SerializeAsString(), error);
  EXPECT_EQ(error.request_id, "from metadata");
  EXPECT_EQ(error.cf_ray, "ray");
}

TEST(StatusDetails, CodeAndMessageAreTheCallsOwn) {
  CallError error{.code = absl::StatusCode::kNotFound, .message = "of the call"};
  google::rpc::Status status;
  status.set_code(13);
  status.set_message("of the details");
  ReadStatusDetails(status.SerializeAsString(), error);
  EXPECT_EQ(error.code, absl::StatusCode::kNotFound);
  EXPECT_EQ(error.message, "of the call");
}

TEST(StatusDetails, OfATypeThatComesTwiceTheFirstCounts) {
  EXPECT_EQ(Read(Reason("FIRST"), Reason("SECOND")).reason, "FIRST");
}

TEST(StatusDetails, UnknownAndBrokenDetailsDoNotCostTheOthers) {
  google::rpc::Status status;
  ASSERT_TRUE(status.add_details()->PackFrom(google::rpc::DebugInfo()));
  auto* const foreign = status.add_details();
  foreign->set_type_url("type.googleapis.com/of.another.Type");
  foreign->set_value("\xff\xff");
  auto* const broken = status.add_details();
  broken->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  broken->set_value("\xff\xff");
  ASSERT_TRUE(status.add_details()->PackFrom(Reason("STILL_READ")));
  CallError error;
  ReadStatusDetails(status.SerializeAsString(), error);
  EXPECT_EQ(error.reason, "STILL_READ");
}

TEST(StatusDetails, BytesThatAreNoStatusAreIgnored) {
  CallError error{.message = "kept"};
  ReadStatusDetails("\xff\xff\xff", error);
  ReadStatusDetails("", error);
  EXPECT_EQ(error.message, "kept");
  EXPECT_THAT(error.reason, IsEmpty());
}

}  // namespace
}  // namespace pcap_client
