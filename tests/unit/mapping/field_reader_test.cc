#include "service/mapping/field_reader.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pcap/v1/pcap.pb.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using ::testing::Optional;

std::optional<int64_t> Int64(const std::string& json) { return Int64From(Parsed(json).root()); }
std::optional<uint32_t> UInt32(const std::string& json) { return UInt32From(Parsed(json).root()); }

// "seconds.nanos" of a time or a duration; "-" for none.
template <typename Proto>
std::string Show(const std::optional<Proto>& value) {
  if (!value.has_value()) return "-";
  return std::to_string(value->seconds()) + "." + std::to_string(value->nanos());
}
std::string Time(const std::string& text) {
  return Show(TimestampFrom(Parsed("\"" + text + "\"").root()));
}
std::string Duration(const std::string& json) { return Show(DurationFrom(Parsed(json).root())); }

TEST(TextFrom, TakesAnyStringAndNothingElse) {
  EXPECT_THAT(TextFrom(Parsed(R"("")").root(), Secrets::kHide), Optional(std::string()));
  EXPECT_THAT(TextFrom(Parsed(R"("a\u0000b")").root(), Secrets::kHide),
              Optional(std::string("a\0b", 3)));
  for (const std::string json : {"null", "1", "true", "[]", "{}", "[\"a\"]"}) {
    EXPECT_EQ(TextFrom(Parsed(json).root(), Secrets::kHide), std::nullopt) << json;
    EXPECT_EQ(DestinationFrom(Parsed(json).root(), Secrets::kHide), std::nullopt) << json;
  }
}

TEST(TextFrom, HidesSecretsUnlessTold) {
  const JsonDocument text = Parsed(R"("no r2://b?a=k c")");
  EXPECT_THAT(TextFrom(text.root(), Secrets::kHide),
              Optional(std::string("no r2://b?a=REDACTED c")));
  EXPECT_THAT(TextFrom(text.root(), Secrets::kReveal), Optional(std::string("no r2://b?a=k c")));
  const JsonDocument uri = Parsed(R"("r2://b?a=k c")");
  EXPECT_THAT(DestinationFrom(uri.root(), Secrets::kHide),
              Optional(std::string("r2://b?a=REDACTED")));
  EXPECT_THAT(DestinationFrom(uri.root(), Secrets::kReveal), Optional(std::string("r2://b?a=k c")));
}

TEST(NumbersFrom, TakeWholeNumbersHoweverTheyAreWritten) {
  for (const std::string json : {"300", "300.0", "3e2", "30000E-2"}) {
    EXPECT_THAT(Int64(json), Optional(300)) << json;
    EXPECT_THAT(UInt32(json), Optional(300u)) << json;
  }
  EXPECT_THAT(Int64("-0"), Optional(0));
  EXPECT_THAT(UInt32("-0"), Optional(0u));
  EXPECT_THAT(UInt32("-0.0"), Optional(0u));
  EXPECT_THAT(Int64("1e9"), Optional(1'000'000'000));
}

TEST(NumbersFrom, EndAtTheRangeOfTheProtosType) {
  EXPECT_THAT(Int64("9223372036854775807"), Optional(std::numeric_limits<int64_t>::max()));
  EXPECT_THAT(Int64("-9223372036854775808"), Optional(std::numeric_limits<int64_t>::min()));
  EXPECT_THAT(UInt32("4294967295"), Optional(4294967295u));
  for (const std::string json : {"9223372036854775808", "-9223372036854775809", "1e400"}) {
    EXPECT_EQ(Int64(json), std::nullopt) << json;
  }
  for (const std::string json : {"4294967296", "-1", "1e400"}) {
    EXPECT_EQ(UInt32(json), std::nullopt) << json;
  }
}

TEST(NumbersFrom, TakeNothingElse) {
  for (const std::string json : {"0.5", "1e-1", "\"80\"", "true", "null", "[80]", "{}"}) {
    EXPECT_EQ(Int64(json), std::nullopt) << json;
    EXPECT_EQ(UInt32(json), std::nullopt) << json;
  }
}

TEST(TimestampFrom, ReadsRfc3339) {
  EXPECT_EQ(Time("2020-01-01T08:00:00Z"), "1577865600.0");
  EXPECT_EQ(Time("2020-01-01t08:00:00z"), "1577865600.0");
  EXPECT_EQ(Time("2020-01-01T10:30:00+02:30"), "1577865600.0");
  EXPECT_EQ(Time("2020-01-01T00:00:00-08:00"), "1577865600.0");
  EXPECT_EQ(Time("2020-01-01T08:00:00-00:00"), "1577865600.0");
  EXPECT_EQ(Time("2020-01-01T08:00:00.123456Z"), "1577865600.123456000");
  EXPECT_EQ(Time("2020-01-01T08:00:00.000000001Z"), "1577865600.1");
  EXPECT_EQ(Time("2020-02-29T23:59:59Z"), "1583020799.0");
  EXPECT_EQ(Time("1969-12-31T23:59:59.5Z"), "-1.500000000");
}

TEST(TimestampFrom, EndsAtTheYearsOneAnd9999InUtc) {
  EXPECT_EQ(Time("0001-01-01T00:00:00Z"), "-62135596800.0");
  EXPECT_EQ(Time("9999-12-31T23:59:59.999999999Z"), "253402300799.999999999");
  EXPECT_EQ(Time("0000-12-31T23:00:00-01:00"), "-62135596800.0");
  EXPECT_EQ(Time("0001-01-01T00:00:00+00:01"), "-");
  EXPECT_EQ(Time("9999-12-31T23:59:59-00:01"), "-");
  EXPECT_EQ(Time("0000-01-01T00:00:00Z"), "-");
}

TEST(TimestampFrom, TakesNothingElse) {
  for (const std::string text : {"",
                                 " ",
                                 "2020",
                                 "2020-01-01",
                                 "2020-01-01T08:00:00",
                                 "2020-01-01 08:00:00Z",
                                 "2020-01-01T08:00Z",
                                 "2020-1-1T8:00:00Z",
                                 "2020-01-01T08:00:00.Z",
                                 "2020-01-01T08:00:00,5Z",
                                 "2020-01-01T08:00:00.0000000001Z",
                                 "2020-01-01T08:00:00+0100",
                                 "2020-01-01T08:00:00+24:00",
                                 "2020-01-01T08:00:00+01:60",
                                 "2020-01-01T08:00:00 Z",
                                 "2020-01-01T08:00:00Zx",
                                 " 2020-01-01T08:00:00Z",
                                 "2020-02-30T08:00:00Z",
                                 "2019-02-29T08:00:00Z",
                                 "2020-13-01T08:00:00Z",
                                 "2020-00-01T08:00:00Z",
                                 "2020-01-00T08:00:00Z",
                                 "2020-01-01T24:00:00Z",
                                 "2020-01-01T08:60:00Z",
                                 "2020-01-01T23:59:60Z",
                                 "12020-01-01T08:00:00Z",
                                 "-2020-01-01T08:00:00Z",
                                 "2020-01-01T-8:00:00Z",
                                 "infinite-future",
                                 "now"}) {
    EXPECT_EQ(Time(text), "-") << text;
  }
  for (const std::string json : {"1577865600", "null", "true", "[]", "{}"}) {
    EXPECT_EQ(TimestampFrom(Parsed(json).root()), std::nullopt) << json;
  }
}

TEST(DurationFrom, IsExact) {
  EXPECT_EQ(Duration("300"), "300.0");
  EXPECT_EQ(Duration("1.5"), "1.500000000");
  EXPECT_EQ(Duration("0.1"), "0.100000000");
  EXPECT_EQ(Duration("1e-9"), "0.1");
  EXPECT_EQ(Duration("-1.5"), "-1.-500000000");
  EXPECT_EQ(Duration("-0"), "0.0");
  EXPECT_EQ(Duration("3e2"), "300.0");
  EXPECT_EQ(Duration("315576000000"), "315576000000.0");
  EXPECT_EQ(Duration("-315576000000"), "-315576000000.0");
}

TEST(DurationFrom, TakesNothingElse) {
  for (const std::string json : {"1e-10", "1.0000000001", "315576000000.000000001", "-315576000001",
                                 "1e400", "\"300\"", "\"300s\"", "null", "true", "[]", "{}"}) {
    EXPECT_EQ(Duration(json), "-") << json;
  }
}

TEST(EnumFrom, KnowsOnlyTheTextsOfItsTable) {
  enum class Size { kSmall, kLarge };
  constexpr EnumText<Size> texts[] = {{"small", Size::kSmall}, {"large", Size::kLarge}};
  EXPECT_THAT(EnumFrom(Parsed(R"("large")").root(), texts), Optional(Size::kLarge));
  for (const std::string json : {R"("LARGE")", R"("larg")", R"("large ")", R"("")", "1", "null"}) {
    EXPECT_EQ(EnumFrom(Parsed(json).root(), texts), std::nullopt) << json;
  }
}

TEST(ReadFields, PutsEachFieldIntoTheMessageOrIntoTheExtraFields) {
  using pcap::v1::PcapFilter;
  constexpr Field<PcapFilter> fields[] = {
      {"protocol",
       [](const JsonValue& json, PcapFilter& filter, ExtraFields&) {
         return Put(UInt32From(json), [&](uint32_t value) { filter.set_protocol(value); });
       }},
      {"source_port",
       [](const JsonValue& json, PcapFilter& filter, ExtraFields&) {
         return Put(UInt32From(json), [&](uint32_t value) { filter.set_source_port(value); });
       }},
  };
  pcap::v1::Pcap pcap;
  ExtraFields extra(pcap, Secrets::kHide);
  PcapFilter filter;
  const JsonDocument object =
      Parsed(R"({"protocol": "6", "nothing": null, "color": "red", "source_port": 80})");
  ReadFields<PcapFilter>(object.root(), "p.", {fields}, filter, extra);
  EXPECT_THAT(filter, IsProto("source_port: 80"));
  EXPECT_THAT(pcap, IsProto(R"(extra_fields {
    fields { key: "p.protocol" value { string_value: "6" } }
    fields { key: "p.color" value { string_value: "red" } }
  })"));
}

}  // namespace
}  // namespace pcap_gateway
