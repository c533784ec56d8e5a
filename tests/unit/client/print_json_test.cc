#include "client/pcapctl/print_json.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

namespace pcap_client {
namespace {

using pcap::v1::GetPcapResponse;
using testing::HasSubstr;
using testing::Not;

GetPcapResponse ResponseFrom(const std::string& text) {
  GetPcapResponse response;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &response));
  return response;
}

TEST(PcapJson, HasTheProtosFieldNamesAndKeepsPresence) {
  const GetPcapResponse response = ResponseFrom(R"pb(
    pcap {
      full {
        byte_limit: 0
        colo_name: ""
        status: PCAP_STATUS_COMPLETE
        submitted { seconds: 1577865600 }
        time_limit { seconds: 300 }
      }
    })pb");
  const auto json = PcapJson(response);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(*json, R"({
  "pcap": {
    "full": {
      "byte_limit": "0",
      "colo_name": "",
      "status": "PCAP_STATUS_COMPLETE",
      "submitted": "2020-01-01T08:00:00Z",
      "time_limit": "300s"
    }
  }
}
)");
}

TEST(PcapJson, ReadsBackToTheSameAnswer) {
  const GetPcapResponse response = ResponseFrom(R"pb(
    pcap {
      simple {
        id: ""
        filter_v1 { source_port: 0 }
      }
      extra_fields {
        fields {
          key: "x"
          value { number_value: 1.5 }
        }
      }
    }
    messages { code: 9007199254740993 message: "\n" })pb");
  const auto json = PcapJson(response);
  ASSERT_TRUE(json.ok());
  GetPcapResponse read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(*json, &read).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(read, response)) << *json;
}

TEST(PcapJson, HoldsNoControlCharacters) {
  GetPcapResponse response;
  response.add_messages()->set_message("\x1b[2J\u009b\x7f");
  const auto json = PcapJson(response);
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, HasSubstr(R"("\u001b[2J\u009b\u007f")"));
  EXPECT_THAT(*json, Not(HasSubstr("\x1b")));
}

TEST(PcapJson, AValueWithoutAJsonFormIsAnErrorRatherThanHalfAnAnswer) {
  const auto json =
      PcapJson(ResponseFrom("pcap { simple { time_limit { seconds: 99999999999999 } } }"));
  EXPECT_EQ(json.status().code(), absl::StatusCode::kInternal);
}

TEST(IndentedJson, KeepsEmptyOnesAndWhatStandsInTexts) {
  EXPECT_EQ(IndentedJson(R"({"a":{},"b":[],"c":[1,[2.50]],"d":"{[,:\"\\"})"), R"({
  "a": {},
  "b": [],
  "c": [
    1,
    [
      2.50
    ]
  ],
  "d": "{[,:\"\\"
}
)");
  EXPECT_EQ(IndentedJson("[]"), "[]\n");
}

}  // namespace
}  // namespace pcap_client
