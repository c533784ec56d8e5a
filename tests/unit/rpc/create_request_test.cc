#include "service/rpc/create_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

// The fields that are wrong.
std::vector<std::string> WrongIn(const std::string& text) {
  pcap::v1::CreatePcapRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  RequestFields fields;
  CheckCreate(request, kNow, fields);
  std::vector<std::string> wrong;
  if (const std::optional<Error> error = std::move(fields).error()) {
    for (const FieldViolation& violation : error->field_violations) {
      wrong.push_back(violation.field);
      EXPECT_FALSE(violation.description.empty());
    }
  }
  return wrong;
}

std::string Simple(const std::string& more) {
  return absl::StrCat("simple { time_limit { seconds: 10 } packet_limit: 100 ", more, " }");
}

std::string Full(const std::string& more) {
  return absl::StrCat(
      "full { time_limit { seconds: 10 } colo_name: 'ord02' "
      "destination_conf: 's3://b?region=r' ",
      more, " }");
}

TEST(CreateRequest, WithinItsRangesNothingIsWrong) {
  for (const std::string& text :
       {Simple(""), Full(""), Simple("system: PCAP_SYSTEM_MAGIC_TRANSIT"),
        std::string("simple { time_limit { seconds: 1 } packet_limit: 1 }"),
        std::string("simple { time_limit { seconds: 300 } packet_limit: 10000 }"),
        Simple("offset_time { seconds: 1699990000 }"),
        Simple("offset_time { seconds: 1700000000 }"),
        Simple("filter_v1 { source_address: '1.2.3.4' destination_address: '2001:db8::1' "
               "source_port: 1 destination_port: 65535 protocol: 255 }"),
        Simple("filter_v1 { source_address: '10.0.0.0/8' destination_address: '2001:db8::/32' }"),
        Full("byte_limit: 1 packet_limit: 1"), Full("byte_limit: 1000000000"),
        Simple("") + " request_id: '6b1ee5b2-6f0a-4a9c-8f2b-5d6f2f0c1a33'"}) {
    EXPECT_THAT(WrongIn(text), IsEmpty()) << text;
  }
}

TEST(CreateRequest, WhatIsRequiredIsMissedByName) {
  EXPECT_THAT(WrongIn(""), ElementsAre("form"));
  EXPECT_THAT(WrongIn("simple {}"), ElementsAre("simple.time_limit", "simple.packet_limit"));
  EXPECT_THAT(WrongIn("full {}"),
              ElementsAre("full.time_limit", "full.colo_name", "full.destination_conf"));
}

TEST(CreateRequest, WhatIsOutOfRangeIsSaidByField) {
  const struct {
    std::string text;
    std::string field;
  } cases[] = {
      {"simple { time_limit { seconds: 0 } packet_limit: 1 }", "simple.time_limit"},
      {"simple { time_limit { seconds: 301 } packet_limit: 1 }", "simple.time_limit"},
      {"simple { time_limit { seconds: -1 } packet_limit: 1 }", "simple.time_limit"},
      {"simple { time_limit { seconds: 1 nanos: 1 } packet_limit: 1 }", "simple.time_limit"},
      {"simple { time_limit { seconds: 1 } packet_limit: 10001 }", "simple.packet_limit"},
      {"simple { time_limit { seconds: 1 } packet_limit: -1 }", "simple.packet_limit"},
      {Simple("offset_time { seconds: 1699900000 }"), "simple.offset_time"},
      {Simple("offset_time { seconds: 1700009999 }"), "simple.offset_time"},
      {Simple("offset_time { seconds: 1700000000 nanos: -1 }"), "simple.offset_time"},
      {Simple("filter_v1 { source_address: 'example.com' }"), "simple.filter_v1.source_address"},
      {Simple("filter_v1 { source_address: '' }"), "simple.filter_v1.source_address"},
      {Simple("filter_v1 { source_address: '1.2.3' }"), "simple.filter_v1.source_address"},
      {Simple("filter_v1 { source_address: '1.2.3.4/33' }"), "simple.filter_v1.source_address"},
      {Simple("filter_v1 { source_address: '1.2.3.4/' }"), "simple.filter_v1.source_address"},
      {Simple("filter_v1 { source_address: '1.2.3.4/-1' }"), "simple.filter_v1.source_address"},
      {Simple("filter_v1 { source_address: '1.2.3.4\\000' }"), "simple.filter_v1.source_address"},
      {Simple("filter_v1 { destination_address: ' 1.2.3.4' }"),
       "simple.filter_v1.destination_address"},
      {Simple("filter_v1 { destination_port: 0 }"), "simple.filter_v1.destination_port"},
      {Simple("filter_v1 { source_port: 65536 }"), "simple.filter_v1.source_port"},
      {Simple("filter_v1 { protocol: 256 }"), "simple.filter_v1.protocol"},
      {Simple("system: 7"), "simple.system"},
      {"full { time_limit { seconds: 86401 } colo_name: 'c' destination_conf: 's3://d' }",
       "full.time_limit"},
      {Full("byte_limit: 0"), "full.byte_limit"},
      {Full("byte_limit: 1000000001"), "full.byte_limit"},
      {Full("packet_limit: 0"), "full.packet_limit"},
      {"full { time_limit { seconds: 1 } colo_name: 'a b' destination_conf: 's3://d' }",
       "full.colo_name"},
      {absl::StrCat("full { time_limit { seconds: 1 } colo_name: 'c' destination_conf: '", "s3://",
                    std::string(2044, 'd'), "' }"),
       "full.destination_conf"},
      {"full { time_limit { seconds: 1 } colo_name: 'c' destination_conf: 'bucket' }",
       "full.destination_conf"},
      {Simple("") + " request_id: 'two words'", "request_id"},
      {Simple("") + " request_id: '" + std::string(65, 'a') + "'", "request_id"},
  };
  for (const auto& [text, field] : cases) EXPECT_THAT(WrongIn(text), ElementsAre(field)) << text;
}

// All of it is told at once, and the bucket's secret is in none of it.
TEST(CreateRequest, EveryWrongFieldIsNamedAndNoSecretRepeated) {
  pcap::v1::CreatePcapRequest request;
  request.mutable_full()->set_destination_conf("r2://b?secret-access-key=s3cr3t and more");
  request.mutable_full()->set_byte_limit(0);
  RequestFields fields;
  CheckCreate(request, kNow, fields);
  const std::optional<Error> error = std::move(fields).error();
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->field_violations.size(), 4u);
  for (const FieldViolation& violation : error->field_violations) {
    EXPECT_EQ(violation.description.find("s3cr3t"), std::string::npos);
  }
}

}  // namespace
}  // namespace pcap_gateway
