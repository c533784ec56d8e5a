#include "service/mapping/pcap_from_json.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using pcap::v1::Pcap;

Pcap Mapped(const std::string& json, Secrets secrets = Secrets::kHide) {
  const JsonDocument document = Parsed(json);
  Pcap pcap;
  PcapFromJson(document.root(), secrets, pcap);
  return pcap;
}

// As in Cloudflare's API reference.
constexpr char kSimpleExample[] = R"({
  "id": "66802ca5668e47a2b82c2e6746e45037",
  "filter_v1": {"destination_address": "1.2.3.4", "destination_port": 80, "protocol": 6,
                "source_address": "1.2.3.4", "source_port": 123},
  "offset_time": "2020-01-01T08:00:00Z", "status": "success",
  "submitted": "2020-01-01T08:00:00Z", "system": "magic-transit", "time_limit": 300,
  "type": "simple"})";

TEST(PcapFromJson, MapsASimpleCapture) {
  EXPECT_THAT(Mapped(kSimpleExample), IsProto(R"(simple {
    id: "66802ca5668e47a2b82c2e6746e45037"
    filter_v1 { destination_address: "1.2.3.4" destination_port: 80 protocol: 6
                source_address: "1.2.3.4" source_port: 123 }
    offset_time { seconds: 1577865600 }
    status: PCAP_STATUS_SUCCESS
    submitted { seconds: 1577865600 }
    system: PCAP_SYSTEM_MAGIC_TRANSIT
    time_limit { seconds: 300 } })"));
}

TEST(PcapFromJson, MapsAFullCapture) {
  EXPECT_THAT(Mapped(R"({
      "id": "66802ca5668e47a2b82c2e6746e45037", "byte_limit": 500000, "colo_name": "ord02",
      "destination_conf": "s3://pcaps-bucket?region=us-east-1", "error_message": "No space",
      "filter_v1": {}, "packets_captured": 1200, "status": "conversion_running",
      "stop_requested": "2020-01-01T08:00:01Z", "submitted": "2020-01-01T08:00:00.123456Z",
      "system": "magic-transit", "time_limit": 1.5, "type": "full"})"),
              IsProto(R"(full {
    id: "66802ca5668e47a2b82c2e6746e45037" byte_limit: 500000 colo_name: "ord02"
    destination_conf: "s3://pcaps-bucket?region=us-east-1" error_message: "No space"
    filter_v1 {} packets_captured: 1200 status: PCAP_STATUS_CONVERSION_RUNNING
    stop_requested { seconds: 1577865601 } submitted { seconds: 1577865600 nanos: 123456000 }
    system: PCAP_SYSTEM_MAGIC_TRANSIT time_limit { seconds: 1 nanos: 500000000 } })"));
}

TEST(PcapFromJson, KnowsEveryStatus) {
  const std::pair<std::string, pcap::v1::PcapStatus> statuses[] = {
      {"unknown", pcap::v1::PCAP_STATUS_UNKNOWN},
      {"success", pcap::v1::PCAP_STATUS_SUCCESS},
      {"pending", pcap::v1::PCAP_STATUS_PENDING},
      {"running", pcap::v1::PCAP_STATUS_RUNNING},
      {"conversion_pending", pcap::v1::PCAP_STATUS_CONVERSION_PENDING},
      {"conversion_running", pcap::v1::PCAP_STATUS_CONVERSION_RUNNING},
      {"complete", pcap::v1::PCAP_STATUS_COMPLETE},
      {"failed", pcap::v1::PCAP_STATUS_FAILED},
  };
  // One for each value of the enum but UNSPECIFIED.
  EXPECT_EQ(std::size(statuses), static_cast<size_t>(pcap::v1::PcapStatus_MAX));
  for (const auto& [text, status] : statuses) {
    const std::string field = R"("status": ")" + text + "\"";
    EXPECT_EQ(Mapped(R"({"type": "simple", )" + field + "}").simple().status(), status);
    EXPECT_EQ(Mapped(R"({"type": "full", )" + field + "}").full().status(), status);
    EXPECT_FALSE(Mapped(R"({"type": "full", )" + field + "}").has_extra_fields());
  }
}

TEST(StageOf, IsFinalOnceNothingCanChange) {
  const std::pair<std::string, Stage> stages[] = {{"unknown", Stage::kMoving},
                                                  {"success", Stage::kFinal},
                                                  {"pending", Stage::kMoving},
                                                  {"running", Stage::kMoving},
                                                  {"conversion_pending", Stage::kMoving},
                                                  {"conversion_running", Stage::kMoving},
                                                  {"complete", Stage::kFinal},
                                                  {"failed", Stage::kFinal},
                                                  {"new in 2030", Stage::kMoving},
                                                  {"", Stage::kMoving}};
  for (const auto& [text, stage] : stages) {
    const std::string field = R"("status": ")" + text + "\"";
    EXPECT_EQ(StageOf(Mapped(R"({"type": "simple", )" + field + "}")), stage) << text;
    EXPECT_EQ(StageOf(Mapped(R"({"type": "full", )" + field + "}")), stage) << text;
    EXPECT_EQ(StageOf(Mapped("{" + field + "}")), Stage::kMoving) << text;
  }
  EXPECT_EQ(StageOf(Mapped("{}")), Stage::kMoving);
}

TEST(RunOf, GoesFromSubmittedToTheTimeLimit) {
  const absl::Time began = absl::FromUnixSeconds(1'735'689'600) + absl::Milliseconds(500);
  for (const std::string type : {"simple", "full"}) {
    const std::string start =
        R"({"type": ")" + type + R"(", "submitted": "2025-01-01T00:00:00.5Z")";
    const auto run = RunOf(Mapped(start + R"(, "time_limit": 300})"));
    EXPECT_EQ(run.began, began);
    EXPECT_EQ(run.ends, began + absl::Minutes(5));
    EXPECT_EQ(RunOf(Mapped(start + "}")).ends, absl::InfinitePast());
    EXPECT_EQ(RunOf(Mapped(start + R"(, "time_limit": -1})")).ends, absl::InfinitePast());
    EXPECT_EQ(RunOf(Mapped(R"({"type": ")" + type + R"(", "time_limit": 300})")).began,
              absl::InfinitePast());
  }
  EXPECT_EQ(RunOf(Mapped("{}")).began, absl::InfinitePast());
}

// What each field makes of each odd value. `json` is what the field holds, `typed` what becomes of
// it inside the form (empty: nothing), `extra` what is kept of it (empty: nothing).
struct OddValue {
  std::string json;
  std::string typed;
  std::string extra;
};

struct FieldCase {
  std::string name;
  bool in_simple;
  bool in_full;
  std::vector<OddValue> values;
};

std::vector<OddValue> TextValues(const std::string& field) {
  return {{"null", "", ""},
          {R"("")", field + R"(: "")", ""},
          {R"("x")", field + R"(: "x")", ""},
          {R"("a\u0000b")", field + R"(: "a\000b")", ""},
          {"5", "", "number_value: 5"},
          {"true", "", "bool_value: true"},
          {"[]", "", "list_value {}"},
          {"{}", "", "struct_value {}"}};
}

std::vector<OddValue> NumberValues(const std::string& field) {
  return {{"null", "", ""},
          {"0", field + ": 0", ""},
          {"-0", field + ": 0", ""},
          {"80", field + ": 80", ""},
          {"1e9", field + ": 1000000000", ""},
          {"80.0", field + ": 80", ""},
          {R"("80")", "", R"(string_value: "80")"},
          {R"("")", "", R"(string_value: "")"},
          {"80.5", "", "number_value: 80.5"},
          {"18446744073709551616", "", R"(string_value: "18446744073709551616")"},
          {"1e400", "", R"(string_value: "1e400")"},
          {"false", "", "bool_value: false"},
          {"[80]", "", "list_value { values { number_value: 80 } }"},
          {"{}", "", "struct_value {}"}};
}

std::vector<OddValue> TimeValues(const std::string& field) {
  return {{"null", "", ""},
          {R"("2020-01-01T08:00:00Z")", field + " { seconds: 1577865600 }", ""},
          {R"("")", "", R"(string_value: "")"},
          {R"("yesterday")", "", R"(string_value: "yesterday")"},
          {R"("2020-01-01T08:00:00.0123456789Z")", "",
           R"(string_value: "2020-01-01T08:00:00.0123456789Z")"},
          {R"("0000-01-01T08:00:00Z")", "", R"(string_value: "0000-01-01T08:00:00Z")"},
          {"1577865600", "", "number_value: 1577865600"},
          {"{}", "", "struct_value {}"}};
}

const std::vector<FieldCase>& FieldCases() {
  static const std::vector<FieldCase> cases = {
      {"id", true, true, TextValues("id")},
      {"colo_name", false, true, TextValues("colo_name")},
      {"destination_conf", false, true, TextValues("destination_conf")},
      {"error_message", false, true, TextValues("error_message")},
      {"byte_limit", false, true, NumberValues("byte_limit")},
      {"packets_captured", false, true, NumberValues("packets_captured")},
      {"offset_time", true, false, TimeValues("offset_time")},
      {"stop_requested", false, true, TimeValues("stop_requested")},
      {"submitted", true, true, TimeValues("submitted")},
      {"status",
       true,
       true,
       {{"null", "", ""},
        {R"("running")", "status: PCAP_STATUS_RUNNING", ""},
        {R"("")", "", R"(string_value: "")"},
        {R"("Running")", "", R"(string_value: "Running")"},
        {R"("PCAP_STATUS_RUNNING")", "", R"(string_value: "PCAP_STATUS_RUNNING")"},
        {"3", "", "number_value: 3"}}},
      {"system",
       true,
       true,
       {{"null", "", ""},
        {R"("magic-transit")", "system: PCAP_SYSTEM_MAGIC_TRANSIT", ""},
        {R"("")", "", R"(string_value: "")"},
        {R"("magic-wan")", "", R"(string_value: "magic-wan")"},
        {"1", "", "number_value: 1"}}},
      {"time_limit",
       true,
       true,
       {{"null", "", ""},
        {"300", "time_limit { seconds: 300 }", ""},
        {"0", "time_limit {}", ""},
        {"0.25", "time_limit { nanos: 250000000 }", ""},
        {"-1.5", "time_limit { seconds: -1 nanos: -500000000 }", ""},
        {"1e-10", "", "number_value: 1e-10"},
        {"315576000001", "", "number_value: 315576000001"},
        {"1e400", "", R"(string_value: "1e400")"},
        {R"("300")", "", R"(string_value: "300")"},
        {R"("")", "", R"(string_value: "")"},
        {"[]", "", "list_value {}"}}},
      {"filter_v1",
       true,
       true,
       {{"null", "", ""},
        {"{}", "filter_v1 {}", ""},
        {R"({"protocol": null})", "filter_v1 {}", ""},
        {R"("")", "", R"(string_value: "")"},
        {"[]", "", "list_value {}"},
        {"6", "", "number_value: 6"}}},
      {"new_in_2030",
       true,
       true,
       {{"null", "", ""},
        {R"("")", "", R"(string_value: "")"},
        {R"({"a": [1, null]})", "",
         R"(struct_value { fields { key: "a" value { list_value {
              values { number_value: 1 } values { null_value: NULL_VALUE } } } } })"}}},
  };
  return cases;
}

std::string Extra(const std::string& name, const std::string& value) {
  if (value.empty()) return "";
  return "extra_fields { fields { key: \"" + name + "\" value { " + value + " } } }";
}

TEST(PcapFromJson, PutsEachOddValueWhereTheContractSays) {
  for (const FieldCase& field : FieldCases()) {
    for (const OddValue& odd : field.values) {
      for (const std::string form : {"simple", "full"}) {
        const bool has_field = form == "simple" ? field.in_simple : field.in_full;
        if (!has_field) continue;
        // A second field stands for all others: it is never lost.
        const bool is_id = field.name == "id";
        const std::string other_json = is_id ? R"("time_limit": 7)" : R"("id": "other")";
        const std::string other = is_id ? "time_limit { seconds: 7 }" : R"(id: "other")";
        const std::string json = R"({"type": ")" + form + R"(", ")" + field.name +
                                 "\": " + odd.json + ", " + other_json + "}";
        const std::string expected =
            form + " { " + odd.typed + " " + other + " } " + Extra(field.name, odd.extra);
        EXPECT_THAT(Mapped(json), IsProto(expected)) << json;
      }
    }
  }
}

TEST(PcapFromJson, KeepsOddFieldsOfTheFilterUnderItsName) {
  EXPECT_THAT(Mapped(R"({"type": "simple", "filter_v1": {
      "destination_address": 1, "destination_port": "80", "protocol": -1, "source_address": "",
      "source_port": 4294967296, "vlan": {"id": 5}, "nothing": null}})"),
              IsProto(R"(simple { filter_v1 { source_address: "" } }
    extra_fields {
      fields { key: "filter_v1.destination_address" value { number_value: 1 } }
      fields { key: "filter_v1.destination_port" value { string_value: "80" } }
      fields { key: "filter_v1.protocol" value { number_value: -1 } }
      fields { key: "filter_v1.source_port" value { number_value: 4294967296 } }
      fields { key: "filter_v1.vlan" value { struct_value {
        fields { key: "id" value { number_value: 5 } } } } } })"));
}

TEST(PcapFromJson, TellsAZeroInTheFilterFromAnAbsentField) {
  const Pcap pcap = Mapped(R"({"type": "full", "filter_v1": {"source_port": 0}})");
  EXPECT_TRUE(pcap.full().filter_v1().has_source_port());
  EXPECT_FALSE(pcap.full().filter_v1().has_destination_port());
  EXPECT_FALSE(pcap.full().has_id());
  EXPECT_FALSE(pcap.has_extra_fields());
}

TEST(PcapFromJson, KeepsFieldsOfTheOtherFormAsExtraFields) {
  EXPECT_THAT(Mapped(R"({"type": "simple", "byte_limit": 5, "colo_name": "ORD"})"),
              IsProto(R"(simple {} extra_fields {
    fields { key: "byte_limit" value { number_value: 5 } }
    fields { key: "colo_name" value { string_value: "ORD" } } })"));
  EXPECT_THAT(Mapped(R"({"type": "full", "offset_time": "2020-01-01T08:00:00Z"})"),
              IsProto(R"(full {} extra_fields {
    fields { key: "offset_time" value { string_value: "2020-01-01T08:00:00Z" } } })"));
}

TEST(PcapFromJson, ChoosesTheFormByItsOwnFieldsWhenThereIsNoType) {
  for (const std::string field : {"byte_limit", "colo_name", "destination_conf", "error_message",
                                  "packets_captured", "stop_requested"}) {
    EXPECT_TRUE(Mapped("{\"" + field + "\": \"odd or not\"}").has_full()) << field;
    EXPECT_TRUE(Mapped("{\"type\": null, \"" + field + "\": 1}").has_full()) << field;
  }
  EXPECT_TRUE(Mapped(R"({"offset_time": "2020-01-01T08:00:00Z"})").has_simple());
  EXPECT_TRUE(Mapped(R"({"offset_time": ""})").has_simple());
}

TEST(PcapFromJson, ChoosesTheFormByItsOwnFieldsWhenTheTypeIsOddAndKeepsTheType) {
  for (const std::string type : {R"("mirror")", R"("")", R"("Full")"}) {
    const std::string text = type == R"("")" ? "" : type.substr(1, type.size() - 2);
    EXPECT_THAT(Mapped("{\"type\": " + type + R"(, "byte_limit": 5, "id": "x"})"),
                IsProto(R"(full { id: "x" byte_limit: 5 } )" +
                        Extra("type", "string_value: \"" + text + "\"")));
  }
  EXPECT_THAT(Mapped(R"({"type": 2, "offset_time": null, "colo_name": ""})"),
              IsProto(R"(full { colo_name: "" } )" + Extra("type", "number_value: 2")));
}

TEST(PcapFromJson, ANullFieldDoesNotTellTheForm) {
  EXPECT_EQ(Mapped(R"({"byte_limit": null, "id": "x"})").form_case(), Pcap::FORM_NOT_SET);
  EXPECT_TRUE(Mapped(R"({"byte_limit": null, "offset_time": ""})").has_simple());
}

TEST(PcapFromJson, TakesGosZeroTimeForNone) {
  for (const std::string zero : {"0001-01-01T00:00:00Z", "0001-01-01t00:00:00.000z",
                                 "0001-01-01T00:00:00+00:00", "0000-12-31T23:00:00-01:00"}) {
    EXPECT_THAT(Mapped(R"({"type": "full", "id": "x", "stop_requested": ")" + zero +
                       R"(", "submitted": ")" + zero + R"("})"),
                IsProto(R"(full { id: "x" })"));
    EXPECT_THAT(Mapped(R"({"type": "simple", "id": "x", "offset_time": ")" + zero + R"("})"),
                IsProto(R"(simple { id: "x" })"));
    // Nor does it tell the form, where a program wrote out all that it knows.
    EXPECT_TRUE(
        Mapped(R"({"stop_requested": ")" + zero + R"(", "offset_time": "2020-01-01T08:00:00Z"})")
            .has_simple());
  }
  // What only looks like it is kept.
  EXPECT_TRUE(Mapped(R"({"type": "full", "stop_requested": "0001-01-01T00:00:00.1Z"})")
                  .full()
                  .has_stop_requested());
  EXPECT_THAT(
      Mapped(R"({"type": "full", "stop_requested": "0000-00-00T00:00:00Z"})"),
      IsProto("full {} " + Extra("stop_requested", R"(string_value: "0000-00-00T00:00:00Z")")));
  EXPECT_THAT(Mapped(R"({"type": "full", "colo_name": "0001-01-01T00:00:00Z"})"),
              IsProto(R"(full { colo_name: "0001-01-01T00:00:00Z" })"));
}

TEST(PcapFromJson, LeavesTheFormUnsetWhenNothingTellsItAndKeepsEveryField) {
  EXPECT_THAT(Mapped(R"({"id": "x", "status": "success", "time_limit": 5, "system": null,
                         "filter_v1": {"protocol": 6}, "submitted": "2020-01-01T08:00:00Z"})"),
              IsProto(R"(extra_fields {
    fields { key: "id" value { string_value: "x" } }
    fields { key: "status" value { string_value: "success" } }
    fields { key: "time_limit" value { number_value: 5 } }
    fields { key: "filter_v1" value { struct_value {
      fields { key: "protocol" value { number_value: 6 } } } } }
    fields { key: "submitted" value { string_value: "2020-01-01T08:00:00Z" } } })"));
  EXPECT_THAT(Mapped(R"({"type": "mirror"})"), IsProto(Extra("type", R"(string_value: "mirror")")));
  EXPECT_THAT(Mapped("{}"), IsProto(""));
}

TEST(PcapFromJson, LeavesTheFormUnsetWhenFieldsOfBothAreThere) {
  EXPECT_THAT(Mapped(R"({"offset_time": "", "byte_limit": 5})"), IsProto(R"(extra_fields {
    fields { key: "offset_time" value { string_value: "" } }
    fields { key: "byte_limit" value { number_value: 5 } } })"));
}

TEST(PcapFromJson, OfFieldsWithTheSameNameTheLastCounts) {
  EXPECT_THAT(Mapped(R"({"type": "full", "id": "a", "byte_limit": "odd", "byte_limit": 5,
                         "id": 6, "colo_name": "x", "colo_name": null, "type": "simple"})"),
              IsProto(R"(simple {} extra_fields {
    fields { key: "byte_limit" value { number_value: 5 } }
    fields { key: "id" value { number_value: 6 } } })"));
}

TEST(PcapFromJson, HidesSecretsInEveryFieldUnlessTold) {
  const std::string json = R"({"type": "full", "destination_conf": "r2://b?x=k&region=eu",
      "error_message": "no r2://b?x=k", "byte_limit": "r2://b?x=k",
      "filter_v1": {"source_address": "r2://b?x=k", "y": "r2://b?x=k"}})";
  const auto expected = [](const std::string& k) {
    return R"(full { destination_conf: "r2://b?x=)" + k + R"(&region=eu"
        error_message: "no r2://b?x=)" +
           k + R"("
        filter_v1 { source_address: "r2://b?x=)" +
           k + R"(" } }
      extra_fields {
        fields { key: "byte_limit" value { string_value: "r2://b?x=)" +
           k + R"(" } }
        fields { key: "filter_v1.y" value { string_value: "r2://b?x=)" +
           k + R"(" } } })";
  };
  EXPECT_THAT(Mapped(json), IsProto(expected("REDACTED")));
  EXPECT_THAT(Mapped(json, Secrets::kReveal), IsProto(expected("k")));
}

TEST(PcapFromJson, TakesADestinationForOneUriWhateverItLooksLike) {
  EXPECT_EQ(Mapped(R"({"destination_conf": "pcaps?x=k k&region=eu"})").full().destination_conf(),
            "pcaps?x=REDACTED&region=eu");
}

}  // namespace
}  // namespace pcap_gateway
