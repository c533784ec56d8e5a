#include "service/endpoints/create_pcap.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/download_pcap.h"
#include "service/endpoints/get_pcap.h"
#include "service/endpoints/list_pcaps.h"
#include "service/endpoints/stop_pcap.h"
#include "service/source/query.h"
#include "tests/support/null_sink.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using nlohmann::json;
using pcap::v1::CreatePcapRequest;
using pcap::v1::CreatePcapResponse;
using pcap::v1::StopPcapResponse;
using ::testing::HasSubstr;

constexpr char kAccount[] = "023e105f4ecef8ad9ca31a8372d0c353";
constexpr char kPcap[] = "66802ca5668e47a2b82c2e6746e45037";

Query QueryFor(const Endpoint& endpoint) {
  Query query;
  query.endpoint = &endpoint;
  query.account = *Id::Parse(kAccount);
  if (&endpoint == &kStopPcap) query.resource = *Id::Parse(kPcap);
  if (&endpoint == &kDownloadPcap) query.sink = std::make_shared<NullSink>();
  return query;
}

Outcome Parse(const Endpoint& endpoint, int status, const std::string& body) {
  return endpoint.parse(QueryFor(endpoint),
                        {.status = status, .body = body, .content_type = "application/json"}, {});
}

json BodyFrom(const char* text) {
  CreatePcapRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request));
  return json::parse(*BodyOf(request));
}

TEST(CreatePcap, AsksAsDocumented) {
  EXPECT_EQ(kCreatePcap.target(QueryFor(kCreatePcap)),
            "/accounts/023e105f4ecef8ad9ca31a8372d0c353/pcaps");
  EXPECT_EQ(kCreatePcap.method, "POST");
  EXPECT_EQ(kCreatePcap.effect, Effect::kWritesOnce);
  const std::vector<Subject> outdated = kCreatePcap.outdates(QueryFor(kCreatePcap));
  ASSERT_EQ(outdated.size(), 1u);
  EXPECT_EQ(outdated[0], QueryFor(kListPcaps).subject());
}

TEST(CreatePcap, SendsWhatIsThereAndNothingElse) {
  EXPECT_EQ(BodyFrom("simple { time_limit { seconds: 10 } packet_limit: 100 }"), json::parse(R"(
      {"type": "simple", "system": "magic-transit", "time_limit": 10, "packet_limit": 100})"));
  EXPECT_EQ(BodyFrom(R"(simple { time_limit { seconds: 300 } packet_limit: 10000
                           filter_v1 { source_address: "1.2.3.4" source_port: 123 protocol: 6
                                       destination_address: "5.6.7.8" destination_port: 80 }
                           offset_time { seconds: 1700000000 nanos: 250000000 }
                           system: PCAP_SYSTEM_MAGIC_TRANSIT })"),
            json::parse(R"({"type": "simple", "system": "magic-transit", "time_limit": 300,
                "packet_limit": 10000, "offset_time": "2023-11-14T22:13:20.25Z",
                "filter_v1": {"source_address": "1.2.3.4", "source_port": 123, "protocol": 6,
                              "destination_address": "5.6.7.8", "destination_port": 80}})"));
  EXPECT_EQ(BodyFrom(R"(full { time_limit { seconds: 86400 } colo_name: "ord02"
                         destination_conf: "s3://b/\"x\"?region=r" filter_v1 {} })"),
            json::parse(R"({"type": "full", "system": "magic-transit", "time_limit": 86400,
                "colo_name": "ord02", "destination_conf": "s3://b/\"x\"?region=r",
                "filter_v1": {}})"));
  EXPECT_EQ(BodyFrom(R"(full { time_limit { seconds: 1 } colo_name: "c" destination_conf: "d"
                         byte_limit: 1000000000 packet_limit: 5 })"),
            json::parse(R"({"type": "full", "system": "magic-transit", "time_limit": 1,
                "colo_name": "c", "destination_conf": "d", "byte_limit": 1000000000,
                "packet_limit": 5})"));
  EXPECT_EQ(BodyOf(CreatePcapRequest()), nullptr);
}

TEST(CreatePcap, GivesTheCaptureWithoutItsSecrets) {
  const Outcome outcome = Parse(kCreatePcap, 200, R"({"success": true, "messages": ["new"],
      "result": {"type": "full", "status": "pending", "id": "66802ca5668e47a2b82c2e6746e45037",
                 "destination_conf": "r2://b?secret-access-key=s3cr3t"}})");
  ASSERT_TRUE(outcome.ok());
  CreatePcapResponse response;
  ASSERT_TRUE(response.ParseFromString(outcome.message));
  EXPECT_THAT(response, IsProto(R"(
      pcap { full { id: "66802ca5668e47a2b82c2e6746e45037" status: PCAP_STATUS_PENDING
                    destination_conf: "r2://b?secret-access-key=REDACTED" } }
      messages { message: "new" })"));
}

// It was sent, and what came says nothing about what became of it.
TEST(CreatePcap, WhatIsNotCloudflaresWordLeavesItsOutcomeUnknown) {
  for (const auto& [status, body] :
       {std::pair(200, R"({"success": true})"), std::pair(200, R"({"success": true, "result": 5})"),
        std::pair(200, "<html>"), std::pair(200, ""), std::pair(502, "<html>bad gateway</html>"),
        std::pair(504, ""), std::pair(524, R"({"title": "timeout"})"),
        std::pair(200, R"({"success": true, "result": {)")}) {
    const Outcome outcome = Parse(kCreatePcap, status, body);
    ASSERT_FALSE(outcome.ok()) << body;
    EXPECT_EQ(outcome.error->code, absl::StatusCode::kUnknown) << status << body;
    EXPECT_EQ(outcome.error->reason, Reason::kOutcomeUnknown);
    EXPECT_THAT(outcome.error->message, HasSubstr("list what there is"));
  }
}

TEST(CreatePcap, WhatIsCloudflaresWordIsTold) {
  constexpr char kNo[] = R"({"success": false, "errors": [{"code": 1, "message": "no"}]})";
  EXPECT_EQ(Parse(kCreatePcap, 400, kNo).error->reason, Reason::kUpstreamBadRequest);
  EXPECT_EQ(Parse(kCreatePcap, 409, kNo).error->reason, Reason::kUpstreamConflict);
  EXPECT_EQ(Parse(kCreatePcap, 500, kNo).error->reason, Reason::kUpstreamUnavailable);
  EXPECT_EQ(Parse(kCreatePcap, 200, kNo).error->reason, Reason::kUpstreamError);
  EXPECT_EQ(Parse(kCreatePcap, 404, kNo).error->reason, Reason::kAccountNotFound);
  EXPECT_EQ(Parse(kCreatePcap, 429, "").error->reason, Reason::kRateLimited);
  // Somebody on the way refused it, so that it did not get there.
  EXPECT_EQ(Parse(kCreatePcap, 403, "<html>").error->reason, Reason::kUpstreamUnavailable);
}

// A token may have the right to read alone.
TEST(CreatePcap, WhoMayNotWriteMayHaveReadByRight) {
  constexpr char kNo[] = R"({"success": false, "errors": [{"code": 10000, "message": "no"}]})";
  for (const Endpoint* endpoint : {&kCreatePcap, &kStopPcap, &kDownloadPcap}) {
    EXPECT_EQ(Parse(*endpoint, 403, kNo).error->denies, Denies::kNothing) << endpoint->name;
    EXPECT_EQ(Parse(*endpoint, 401, kNo).error->denies, Denies::kEverything) << endpoint->name;
  }
  for (const Endpoint* endpoint : {&kGetPcap, &kListPcaps}) {
    EXPECT_EQ(Parse(*endpoint, 403, kNo).error->denies, Denies::kAccount) << endpoint->name;
  }
}

TEST(StopPcap, AsksAsDocumented) {
  EXPECT_EQ(kStopPcap.target(QueryFor(kStopPcap)),
            "/accounts/023e105f4ecef8ad9ca31a8372d0c353/pcaps/66802ca5668e47a2b82c2e6746e45037/"
            "stop");
  EXPECT_EQ(kStopPcap.method, "PUT");
  EXPECT_EQ(kStopPcap.effect, Effect::kWritesAgain);
  EXPECT_EQ(kStopPcap.outdates(QueryFor(kStopPcap)).size(), 2u);
}

TEST(StopPcap, TakesAnyBodyOfASuccess) {
  for (const auto& [status, body] :
       {std::pair(200, ""), std::pair(204, ""), std::pair(202, "<html>"), std::pair(200, "null"),
        std::pair(200, R"({"success": true, "result": {"id": "x"}})"),
        std::pair(200, R"({"stopped": 1})")}) {
    EXPECT_TRUE(Parse(kStopPcap, status, body).ok()) << status << body;
  }
  StopPcapResponse response;
  ASSERT_TRUE(response.ParseFromString(
      Parse(kStopPcap, 200, R"({"success": true, "messages": ["soon"]})").message));
  EXPECT_THAT(response, IsProto(R"(messages { message: "soon" })"));
}

TEST(StopPcap, TellsAFailure) {
  constexpr char kNo[] = R"({"success": false, "errors": [{"code": 1, "message": "no"}]})";
  EXPECT_EQ(Parse(kStopPcap, 200, kNo).error->reason, Reason::kUpstreamError);
  EXPECT_EQ(Parse(kStopPcap, 404, kNo).error->reason, Reason::kPcapNotFound);
  EXPECT_EQ(Parse(kStopPcap, 502, "<html>").error->reason, Reason::kUpstreamUnavailable);
}

}  // namespace
}  // namespace pcap_gateway
