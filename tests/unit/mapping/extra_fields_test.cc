#include "service/mapping/extra_fields.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pcap/v1/pcap.pb.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using pcap::v1::Pcap;

// What is kept of all members of `json`.
Struct Kept(const std::string& json, Secrets secrets = Secrets::kHide) {
  const JsonDocument document = Parsed(json);
  Pcap pcap;
  ExtraFields extra(pcap, secrets);
  for (const JsonValue& member : document.root().children()) extra.Keep("", member);
  return pcap.extra_fields();
}

Value KeptValue(const std::string& json, Secrets secrets = Secrets::kHide) {
  return Kept(R"({"a": )" + json + "}", secrets).fields().at("a");
}

TEST(ExtraFields, KeepsEveryKindAsItCame) {
  EXPECT_THAT(KeptValue(R"([null, true, false, 1.5, "x", [], {"b": {"c": null}}])"),
              IsProto(R"(list_value {
    values { null_value: NULL_VALUE }
    values { bool_value: true }
    values { bool_value: false }
    values { number_value: 1.5 }
    values { string_value: "x" }
    values { list_value {} }
    values { struct_value { fields { key: "b" value { struct_value {
      fields { key: "c" value { null_value: NULL_VALUE } } } } } } }
  })"));
}

TEST(ExtraFields, NamesTheFieldAfterPrefixAndMember) {
  const JsonDocument document = Parsed(R"({"b": 1})");
  Pcap pcap;
  ExtraFields extra(pcap, Secrets::kHide);
  EXPECT_FALSE(pcap.has_extra_fields());
  extra.Keep("filter_v1.", *document.root().Find("b"));
  EXPECT_THAT(
      pcap, IsProto(R"(extra_fields { fields { key: "filter_v1.b" value { number_value: 1 } } })"));
}

TEST(ExtraFields, KeepsNumbersThatADoubleCanHoldAsNumbers) {
  const std::pair<std::string, double> cases[] = {{"0", 0},
                                                  {"-0", 0},
                                                  {"300.0", 300},
                                                  {"-1.25", -1.25},
                                                  {"1e-300", 1e-300},
                                                  {"0.1", 0.1},
                                                  {"1e15", 1e15},
                                                  {"9007199254740992", 9007199254740992},
                                                  {"-9007199254740992", -9007199254740992},
                                                  {"9007199254740992.0", 9007199254740992},
                                                  {"9007199254740991", 9007199254740991}};
  for (const auto& [json, number] : cases)
    EXPECT_EQ(KeptValue(json).number_value(), number) << json;
  for (const auto& [json, number] : cases) {
    EXPECT_EQ(KeptValue(json).kind_case(), Value::kNumberValue) << json;
  }
}

TEST(ExtraFields, KeepsOtherNumbersAsTheTextTheyWereWrittenIn) {
  for (const std::string json :
       {"9007199254740993", "-9007199254740993", "18446744073709551615", "18446744073709551616",
        "1e400", "-1e400", "1e16", "1e-400", "12345678901234567890.5", "9007199254740993.0"}) {
    EXPECT_EQ(KeptValue(json).string_value(), json);
    EXPECT_EQ(KeptValue("[{\"b\": " + json + "}]")
                  .list_value()
                  .values(0)
                  .struct_value()
                  .fields()
                  .at("b")
                  .string_value(),
              json);
  }
}

TEST(ExtraFields, HidesSecretsInAnyText) {
  EXPECT_EQ(KeptValue(R"("to r2://b?x=k now")").string_value(), "to r2://b?x=REDACTED now");
  EXPECT_THAT(KeptValue(R"([{"b": "r2://b?x=k"}])"), IsProto(R"(list_value { values { struct_value {
    fields { key: "b" value { string_value: "r2://b?x=REDACTED" } } } } })"));
}

TEST(ExtraFields, HidesADestinationWhateverItsJsonType) {
  EXPECT_THAT(Kept(R"({"destination_conf": ["r2://b?x=k k", "b?k", 5, null]})"),
              IsProto(R"(fields { key: "destination_conf" value { list_value {
    values { string_value: "r2://b?x=REDACTED" }
    values { string_value: "b?REDACTED" }
    values { number_value: 5 }
    values { null_value: NULL_VALUE } } } })"));
  EXPECT_THAT(Kept(R"({"x": {"destination_conf": {
                        "uri": "r2://b?x=k k", "region": "eu", "account-id": "k k", "key": "k",
                        "keys": ["k"], "port": 443}}})"),
              IsProto(R"(fields { key: "x" value { struct_value {
    fields { key: "destination_conf" value { struct_value {
      fields { key: "uri" value { string_value: "r2://b?x=REDACTED" } }
      fields { key: "region" value { string_value: "eu" } }
      fields { key: "account-id" value { string_value: "REDACTED" } }
      fields { key: "key" value { string_value: "REDACTED" } }
      fields { key: "keys" value { list_value { values { string_value: "REDACTED" } } } }
      fields { key: "port" value { number_value: 443 } } } } } } } })"));
}

TEST(ExtraFields, HidesWhateverGoesByTheNameOfASecret) {
  EXPECT_THAT(KeptValue(R"({"secret_access_key": "k", "accessKeyId": ["k", {"x": 5}], "b": "k"})"),
              IsProto(R"(struct_value {
    fields { key: "secret_access_key" value { string_value: "REDACTED" } }
    fields { key: "accessKeyId" value { list_value {
      values { string_value: "REDACTED" }
      values { struct_value { fields { key: "x" value { string_value: "REDACTED" } } } } } } }
    fields { key: "b" value { string_value: "k" } } })"));
}

TEST(ExtraFields, HidesSecretsInNames) {
  EXPECT_THAT(Kept(R"({"r2://b?x=k": {"secret-access-key=k": 1}})"),
              IsProto(R"(fields { key: "r2://b?x=REDACTED" value { struct_value {
    fields { key: "secret-access-key=REDACTED" value { number_value: 1 } } } } })"));
}

TEST(ExtraFields, KeepsEverythingWhenToldToReveal) {
  EXPECT_THAT(Kept(R"({"destination_conf": ["r2://b?x=k"], "secret_access_key": "k",
                       "r2://b?x=k": "r2://b?x=k"})",
                   Secrets::kReveal),
              IsProto(R"(
    fields { key: "destination_conf" value { list_value {
      values { string_value: "r2://b?x=k" } } } }
    fields { key: "secret_access_key" value { string_value: "k" } }
    fields { key: "r2://b?x=k" value { string_value: "r2://b?x=k" } })"));
}

}  // namespace
}  // namespace pcap_gateway
