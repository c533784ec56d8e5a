#include "service/mapping/json_value.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using Fault = JsonDocument::Fault;
using Kind = JsonValue::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Fault FaultIn(const std::string& text) { return JsonDocument::Parse(text).fault(); }

std::vector<std::string> NamesIn(const JsonValue& value) {
  std::vector<std::string> names;
  for (const JsonValue& child : value.children()) names.emplace_back(child.name());
  return names;
}

std::vector<std::string> TextsIn(const JsonValue& value) {
  std::vector<std::string> texts;
  for (const JsonValue& child : value.children()) texts.emplace_back(child.text());
  return texts;
}

std::string Nested(size_t levels) {
  return std::string(levels, '[') + "1" + std::string(levels, ']');
}

TEST(JsonDocument, TellsTheKindsApart) {
  const JsonDocument document = Parsed(R"([null, true, false, 1, "a", [], {}])");
  std::vector<Kind> kinds;
  for (const JsonValue& value : document.root().children()) kinds.push_back(value.kind());
  EXPECT_THAT(kinds, ElementsAre(Kind::kNull, Kind::kBoolean, Kind::kBoolean, Kind::kNumber,
                                 Kind::kString, Kind::kArray, Kind::kObject));
}

TEST(JsonDocument, KeepsMembersInTheirOrderWhateverTheyContain) {
  const JsonDocument document = Parsed(R"({"z": {"a": [1, {"b": 2}]}, "y": [], "x": 3})");
  EXPECT_THAT(NamesIn(document.root()), ElementsAre("z", "y", "x"));
  EXPECT_EQ(document.root().Find("x")->text(), "3");
  EXPECT_EQ(document.root().Find("z")->Find("a")->kind(), Kind::kArray);
  EXPECT_EQ(document.root().Find("b"), nullptr);
}

TEST(JsonDocument, FindsNothingInWhatIsNoObject) {
  EXPECT_EQ(Parsed(R"(["a"])").root().Find("a"), nullptr);
  EXPECT_EQ(Parsed(R"("a")").root().Find("a"), nullptr);
  EXPECT_THAT(NamesIn(Parsed("1").root()), IsEmpty());
}

TEST(JsonDocument, KeepsNumbersAsTheyWereWritten) {
  const std::vector<std::string> numbers = {"0",
                                            "-0",
                                            "-0.0",
                                            "1.50",
                                            "1E5",
                                            "1e-7",
                                            "18446744073709551615",
                                            "18446744073709551616",
                                            "-9223372036854775808",
                                            "-9223372036854775809",
                                            "9007199254740993",
                                            "1e400",
                                            "-1e999999",
                                            "0.1234567890123456789"};
  std::string text = "[" + numbers[0];
  for (size_t i = 1; i < numbers.size(); ++i) text += "," + numbers[i];
  EXPECT_EQ(TextsIn(Parsed(text + "]").root()), numbers);
}

TEST(JsonDocument, ANumberThatNoDoubleCanHoldCostsNothingElse) {
  const JsonDocument document = Parsed(R"({"a": 1e400, "b": "here"})");
  EXPECT_EQ(document.root().Find("b")->text(), "here");
}

TEST(JsonDocument, DecodesEscapesAndKeepsNul) {
  const JsonDocument document = Parsed(R"({"a\u0000b": "\u00e9\ud83d\ude00\n\u0000\/"})");
  const JsonValue& member = *document.root().children().begin();
  EXPECT_EQ(member.name(), std::string("a\0b", 3));
  EXPECT_EQ(member.text(), std::string("\xC3\xA9\xF0\x9F\x98\x80\n\0/", 9));
}

TEST(JsonDocument, OfMembersWithTheSameNameOnlyTheLastCounts) {
  const JsonDocument document = Parsed(R"({"a": 1, "b": [2], "a": {"a": 3, "a": 4}, "c": 5})");
  EXPECT_THAT(NamesIn(document.root()), ElementsAre("b", "a", "c"));
  EXPECT_EQ(document.root().Find("a")->Find("a")->text(), "4");
}

TEST(JsonDocument, OfVeryManyMembersWithTheSameNameOnlyTheLastCounts) {
  std::string text = "{";
  for (int i = 0; i < 100; ++i)
    text += "\"n" + std::to_string(i % 10) + "\": " + std::to_string(i) + ",";
  const JsonDocument document = Parsed(text + "\"end\": 0}");
  EXPECT_THAT(TextsIn(document.root()),
              ElementsAre("90", "91", "92", "93", "94", "95", "96", "97", "98", "99", "0"));
}

TEST(JsonDocument, StaysValidWhenItIsMoved) {
  JsonDocument first = Parsed(R"({"a": "b"})");
  const JsonValue& root = first.root();
  const JsonDocument second = std::move(first);
  EXPECT_EQ(root.Find("a")->text(), "b");
  EXPECT_EQ(&second.root(), &root);
}

TEST(JsonDocument, RefusesWhatIsNotOneJsonText) {
  const std::vector<std::string> texts = {"",
                                          " ",
                                          "{",
                                          "{\"a\":1",
                                          "{\"a\":}",
                                          "[1,]",
                                          "{'a':1}",
                                          "nul",
                                          "NaN",
                                          "[NaN]",
                                          "[Infinity]",
                                          "[-Infinity]",
                                          "01",
                                          "1.",
                                          ".5",
                                          "+1",
                                          "\"\n\"",
                                          "\"\\x41\"",
                                          "[1] [2]",
                                          "{} x",
                                          "<html>",
                                          "\"\\ud800\"",
                                          "\"\\udc00\"",
                                          "/**/1",
                                          "\xEF\xBB",
                                          "\"\xFF\"",
                                          "\"\xC3\"",
                                          "\"\xC0\x80\"",
                                          "\"\xED\xA0\x80\"",
                                          "\"\xF4\x90\x80\x80\"",
                                          "{\"\xFF\":1}"};
  for (const std::string& text : texts) EXPECT_EQ(FaultIn(text), Fault::kMalformed) << text;
}

TEST(JsonDocument, RefusesANulAndWhateverFollowsIt) {
  EXPECT_EQ(FaultIn(std::string("{}\0", 3)), Fault::kMalformed);
  EXPECT_EQ(FaultIn(std::string("{}\0{}", 5)), Fault::kMalformed);
  EXPECT_EQ(FaultIn(std::string("\"a\0b\"", 5)), Fault::kMalformed);
}

TEST(JsonDocument, TakesThirtyTwoLevelsAndNoMore) {
  EXPECT_EQ(FaultIn(Nested(32)), Fault::kNone);
  EXPECT_EQ(FaultIn(Nested(33)), Fault::kTooDeep);
  EXPECT_EQ(FaultIn(R"({"a":)" + Nested(31) + "}"), Fault::kNone);
  EXPECT_EQ(FaultIn(R"({"a":)" + Nested(32) + "}"), Fault::kTooDeep);
}

TEST(JsonDocument, CountsLevelsAndNotContainers) {
  std::string text = "[0";
  for (int i = 0; i < 1000; ++i) text += ",[{}]";
  EXPECT_EQ(FaultIn(text + "]"), Fault::kNone);
}

TEST(JsonDocument, ReadsNoFurtherThanTheThirtyThirdLevelOfABomb) {
  EXPECT_EQ(FaultIn(std::string(10'000, '[')), Fault::kTooDeep);
  EXPECT_EQ(FaultIn(std::string(1 << 20, '[')), Fault::kTooDeep);
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += R"({"a":)";
  EXPECT_EQ(FaultIn(objects), Fault::kTooDeep);
}

TEST(JsonDocument, IsANullWhenThereIsAFault) {
  EXPECT_TRUE(JsonDocument::Parse("[1, 2").root().is_null());
  EXPECT_THAT(NamesIn(JsonDocument::Parse("[1, 2").root()), IsEmpty());
}

}  // namespace
}  // namespace pcap_gateway
