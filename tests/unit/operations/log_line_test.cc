#include "service/operations/log_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace pcap_gateway {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const absl::Time kTime = absl::FromUnixMicros(1'795'462'200'000'042);  // 2026-11-23

std::string Same(absl::string_view text) { return std::string(text); }

std::string Line(LogFormat format, absl::string_view message, std::vector<LogField> fields = {},
                 const Redact& redact = Same) {
  std::string line;
  AppendLogLine(format, kTime, LogLevel::kWarn, message, fields, redact, line);
  return line;
}

// Of one line of JSON, which is what `line` has to be.
json Parsed(const std::string& line) {
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  for (const char c : line.substr(0, line.size() - 1)) {
    EXPECT_TRUE(c >= 0x20 && c < 0x7f) << testing::PrintToString(line);
  }
  return json::parse(line);
}

// A text as JSON gives it back, each byte that is no UTF-8 as U+FFFD.
std::string ThroughJson(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace))
      .get<std::string>();
}

TEST(LogLine, OfJsonHasTimeLevelMessageAndTheFieldsInTheirOrder) {
  EXPECT_EQ(Line(LogFormat::kJson, "Redis is down",
                 {{"code", "OK"}, {"requests", int64_t{-3}}, {"ms", 0.25}, {"stale", true}}),
            "{\"time\":\"2026-11-23T19:30:00.000042Z\",\"level\":\"warn\",\"message\":\"Redis is "
            "down\",\"code\":\"OK\",\"requests\":-3,\"ms\":0.250,\"stale\":true}\n");
}

TEST(LogLine, OfTextIsForPeople) {
  EXPECT_EQ(
      Line(
          LogFormat::kText, "Redis is down",
          {{"code", "OK"}, {"cache_status", "pcap-gateway; hit"}, {"n", int64_t{3}}, {"x", "a=b"}}),
      "2026-11-23T19:30:00.000042Z WARN  Redis is down  code=OK "
      "cache_status=\"pcap-gateway; hit\" n=3 x=\"a=b\"\n");
  EXPECT_EQ(Line(LogFormat::kText, "drained"), "2026-11-23T19:30:00.000042Z WARN  drained\n");
}

TEST(LogLine, IsColouredOnlyWhereThatIsWanted) {
  EXPECT_EQ(Line(LogFormat::kColouredText, "drained"),
            "2026-11-23T19:30:00.000042Z \x1b[33mWARN \x1b[0m drained\n");
  EXPECT_THAT(Line(LogFormat::kText, "drained"), Not(HasSubstr("\x1b")));
}

TEST(LogLine, NamesEachLevel) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    std::string line;
    AppendLogLine(LogFormat::kJson, kTime, level, "m", {}, Same, line);
    const absl::string_view name = NameOf(level);
    EXPECT_EQ(Parsed(line)["level"], std::string(name));
  }
}

TEST(LogLine, LeavesEmptyTextsOut) {
  EXPECT_FALSE(Parsed(Line(LogFormat::kJson, "m", {{"peer", ""}})).contains("peer"));
  EXPECT_THAT(Line(LogFormat::kText, "m", {{"peer", ""}}), Not(HasSubstr("peer")));
}

TEST(LogLine, ANumberThatIsNoneIsNull) {
  for (const double number :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    EXPECT_TRUE(Parsed(Line(LogFormat::kJson, "m", {{"ms", number}}))["ms"].is_null());
  }
  const double most = std::numeric_limits<double>::max();
  EXPECT_EQ(Parsed(Line(LogFormat::kJson, "m", {{"ms", most}}))["ms"].get<double>(), most);
}

TEST(LogLine, EveryByteOfATextIsEscapedIfItNeedsToBe) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = std::string("a") + static_cast<char>(byte) + "b";
    const json line = Parsed(Line(LogFormat::kJson, text, {{"field", text}}));
    EXPECT_EQ(line["message"], ThroughJson(text)) << byte;
    EXPECT_EQ(line["field"], ThroughJson(text)) << byte;
    const std::string plain = Line(LogFormat::kText, text, {{"field", text}});
    for (const char c : plain.substr(0, plain.size() - 1)) {
      EXPECT_TRUE(c >= 0x20 && c < 0x7f) << byte;
    }
  }
}

TEST(LogLine, WhatDoesHarmOnATerminalIsEscaped) {
  const std::string text =
      "\x1b[31mred\r\n{\"level\":\"error\"}\u2028\u202E\u2066\u009b\u200b\ufeff\x7f";
  const std::string line = Line(LogFormat::kText, text, {{"field", text}});
  EXPECT_THAT(line, HasSubstr("\\u001b[31mred\\r\\n{\\\"level\\\":\\\"error\\\"}\\u2028\\u202e"
                              "\\u2066\\u009b\\u200b\\ufeff\\u007f"));
  EXPECT_EQ(Parsed(Line(LogFormat::kJson, text))["message"], text);
}

TEST(LogLine, AMessageForPeopleCannotPassForAField) {
  EXPECT_THAT(Line(LogFormat::kText, "gone  code=OK", {{"code", "INTERNAL"}}),
              HasSubstr("WARN  \"gone  code=OK\"  code=INTERNAL\n"));
  EXPECT_THAT(Line(LogFormat::kText, "m", {{"id", "a code=OK"}}), HasSubstr("id=\"a code=OK\"\n"));
}

TEST(LogLine, EachTextIsRedacted) {
  const Redact hide = [](absl::string_view text) {
    return text == "secret" ? std::string("REDACTED") : std::string(text);
  };
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText, LogFormat::kColouredText}) {
    const std::string line = Line(format, "secret", {{"field", "secret"}}, hide);
    EXPECT_THAT(line, Not(HasSubstr("secret")));
    EXPECT_THAT(line, HasSubstr("REDACTED"));
  }
}

TEST(LogLine, ALongTextIsCutBetweenCharactersOnceItIsRedacted) {
  const std::string text = std::string(kMostLogTextBytes - 1, 'a') + "\u00e9" + "end";
  const json line = Parsed(Line(LogFormat::kJson, text));
  EXPECT_EQ(line["message"], std::string(kMostLogTextBytes - 1, 'a') + "...");
  const std::string most(kMostLogTextBytes, 'a');
  EXPECT_EQ(Parsed(Line(LogFormat::kJson, most))["message"], most);
  size_t seen = 0;
  Line(LogFormat::kJson, text, {}, [&seen](absl::string_view whole) {
    seen = whole.size();
    return std::string(whole);
  });
  EXPECT_EQ(seen, text.size());
}

TEST(LogLine, RandomBytesComeBackFromTheLine) {
  std::mt19937 random(20261123);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 60, '\0');
    // Half of them in what UTF-8 is made of, which chance alone seldom hits.
    for (char& c : text) c = static_cast<char>(random() % 2 == 0 ? random() : 0x80 + random() % 96);
    const json line = Parsed(Line(LogFormat::kJson, text, {{"field", text}}));
    ASSERT_EQ(line["message"], ThroughJson(text));
    ASSERT_EQ(line.value("field", ""), ThroughJson(text));
    const std::string plain = Line(LogFormat::kText, text, {{"field", text}});
    ASSERT_EQ(plain.find('\n'), plain.size() - 1);
  }
}

TEST(OneLine, IsEscapedTextWithoutQuotes) {
  EXPECT_EQ(OneLine("/a\n\x1b[31m/\"b\"/\xff"), "/a\\n\\u001b[31m/\\\"b\\\"/\\ufffd");
}

}  // namespace
}  // namespace pcap_gateway
