#include "client/pcapctl/print_table.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace pcap_client {
namespace {

std::string TableOf(const GetPcapAnswer& answer) {
  return PcapTable(answer, absl::FromUnixSeconds(1577866120));  // 2020-01-01T08:08:40Z
}

GetPcapAnswer AnswerFrom(const std::string& text, AnswerInfo info = {}) {
  GetPcapAnswer answer{.info = std::move(info)};
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &answer.response));
  return answer;
}

TEST(PcapTable, ShowsAFullCapture) {
  const GetPcapAnswer answer = AnswerFrom(
      R"pb(
        pcap {
          full {
            id: "3d2b8c5f1a7e4960b1c2d3e4f5a60718"
            byte_limit: 500000
            colo_name: "ord02"
            destination_conf: "s3://bucket/dir?region=us-east-1"
            filter_v1 {
              destination_address: "198.51.100.7"
              destination_port: 443
              protocol: 6
              source_address: "2001:db8::1"
              source_port: 0
            }
            packets_captured: 1234
            status: PCAP_STATUS_CONVERSION_RUNNING
            stop_requested { seconds: 1577866000 nanos: 500000000 }
            submitted { seconds: 1577865600 }
            system: PCAP_SYSTEM_MAGIC_TRANSIT
            time_limit { seconds: 300 }
          }
        }
      )pb",
      {.cache_status = "pcap-gateway; hit; ttl=27", .age = absl::Seconds(3)});
  EXPECT_EQ(TableOf(answer), R"(Id                     3d2b8c5f1a7e4960b1c2d3e4f5a60718
Form                   full
Status                 conversion_running
System                 magic-transit
Submitted              2020-01-01T08:00:00Z (8 min ago)
Stop requested         2020-01-01T08:06:40.5Z (1 min ago)
Time limit             5 min
Byte limit             500000 bytes
Packets captured       1234
Data center            ord02
Destination            s3://bucket/dir?region=us-east-1
Filter
  Source address       2001:db8::1
  Source port          0
  Destination address  198.51.100.7
  Destination port     443
  Protocol             6 (TCP)
Cache                  pcap-gateway; hit; ttl=27; age 3 s
)");
}

TEST(PcapTable, ShowsASimpleCapture) {
  const GetPcapAnswer answer = AnswerFrom(
      R"pb(
        pcap {
          simple {
            id: "00000000000000000000000000000001"
            filter_v1 { protocol: 200 }
            offset_time { seconds: 1577865600 nanos: 123456000 }
            status: PCAP_STATUS_SUCCESS
            submitted { seconds: 1577865661 }
            system: PCAP_SYSTEM_MAGIC_TRANSIT
            time_limit { seconds: 90 }
          }
        }
      )pb",
      {.cache_status = "pcap-gateway; fwd=uri-miss; stored"});
  EXPECT_EQ(TableOf(answer), R"(Id           00000000000000000000000000000001
Form         simple
Status       success
System       magic-transit
Submitted    2020-01-01T08:01:01Z (7 min ago)
Offset time  2020-01-01T08:00:00.123456Z (8 min ago)
Time limit   1 min 30 s
Filter
  Protocol   200
Cache        pcap-gateway; fwd=uri-miss; stored
)");
}

TEST(PcapTable, AFieldThatIsAbsentHasNoLine) {
  EXPECT_EQ(TableOf(AnswerFrom("pcap { simple {} }")), R"(Form   simple
Cache  not said
)");
}

TEST(PcapTable, AnEmptyTextOrZeroDiffersFromAnAbsentOne) {
  const GetPcapAnswer answer = AnswerFrom(R"pb(
    pcap {
      full {
        byte_limit: 1
        colo_name: ""
        error_message: ""
        packets_captured: 0
        time_limit {}
      }
    })pb");
  EXPECT_EQ(TableOf(answer), R"(Form              full
Error message     ""
Time limit        0 s
Byte limit        1 byte
Packets captured  0
Data center       ""
Cache             not said
)");
}

TEST(PcapTable, AFilterWithoutFieldsTakesAllPackets) {
  EXPECT_EQ(TableOf(AnswerFrom("pcap { full { filter_v1 {} } }")), R"(Form    full
Filter  none: all packets
Cache   not said
)");
}

TEST(PcapTable, AFormThatIsNotKnownIsSaidAndItsFieldsAreListedByName) {
  const GetPcapAnswer answer = AnswerFrom(R"pb(
    pcap {
      extra_fields {
        fields {
          key: "type"
          value { string_value: "holographic" }
        }
        fields {
          key: "filter_v1.port"
          value { number_value: 5 }
        }
        fields {
          key: "list"
          value {
            list_value {
              values { bool_value: true }
              values { null_value: NULL_VALUE }
            }
          }
        }
        fields {
          key: "big"
          value { string_value: "9007199254740993" }
        }
      }
    })pb");
  EXPECT_EQ(TableOf(answer), R"(Form              not known
Extra fields
  big             "9007199254740993"
  filter_v1.port  5
  list            [true,null]
  type            "holographic"
Cache             not said
)");
}

TEST(PcapTable, MessagesAreListed) {
  const GetPcapAnswer answer = AnswerFrom(R"pb(
    pcap { simple {} }
    messages {
      code: 1000
      message: "Be careful"
      documentation_url: "https://a.example/"
      source_pointer: "/time_limit"
    }
    messages { message: "plain" }
    messages {})pb");
  EXPECT_EQ(TableOf(answer), R"(Form      simple
Messages
  1000    Be careful, at /time_limit (see https://a.example/)
  -       plain
  -       ""
Cache     not said
)");
}

TEST(PcapTable, WhatUpstreamWroteCannotCommandTheTerminal) {
  GetPcapAnswer answer = AnswerFrom("pcap { full {} }");
  auto& full = *answer.response.mutable_pcap()->mutable_full();
  full.set_id("\x1b[2J");
  full.set_error_message("line\nStatus  complete");
  full.set_colo_name("\u009b31m");
  full.set_destination_conf("r2://\u202eevil");
  full.mutable_filter_v1()->set_source_address("\x07");
  auto& extra = *answer.response.mutable_pcap()->mutable_extra_fields()->mutable_fields();
  extra["k\x1b]0;t\x07"].set_string_value("v\x1b[31m\u009b");
  answer.response.add_messages()->set_message("\r\x1b[K");
  answer.info.cache_status = "\x1b[0m";
  EXPECT_EQ(TableOf(answer), R"(Id                \x1b[2J
Form              full
Error message     line\nStatus  complete
Data center       \u{9b}31m
Destination       r2://\u{202e}evil
Filter
  Source address  \x07
Extra fields
  k\x1b]0;t\x07   "v\u001b[31m\u009b"
Messages
  -               \r\x1b[K
Cache             \x1b[0m
)");
}

TEST(PcapTable, EnumValuesOfALaterVersionAreShownByNumber) {
  GetPcapAnswer answer = AnswerFrom("pcap { simple {} }");
  answer.response.mutable_pcap()->mutable_simple()->set_status(
      static_cast<pcap::v1::PcapStatus>(42));
  EXPECT_EQ(TableOf(answer), R"(Form    simple
Status  42 (not known to this pcapctl)
Cache   not said
)");
}

TEST(PcapTable, SurvivesTimesNoCalendarHas) {
  GetPcapAnswer answer = AnswerFrom("pcap { simple { submitted {} time_limit {} } }");
  auto& simple = *answer.response.mutable_pcap()->mutable_simple();
  simple.mutable_submitted()->set_seconds(std::numeric_limits<int64_t>::max());
  simple.mutable_time_limit()->set_seconds(std::numeric_limits<int64_t>::min());
  simple.mutable_time_limit()->set_nanos(std::numeric_limits<int32_t>::min());
  EXPECT_EQ(TableOf(answer), R"(Form        simple
Submitted   292277026596-12-04T15:30:07Z (in 106751991149038 d)
Time limit  -inf
Cache       not said
)");
}

}  // namespace
}  // namespace pcap_client
