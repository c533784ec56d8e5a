#include "service/mapping/decimal.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace pcap_gateway {
namespace {

using Int = absl::int128;

std::optional<Int> Whole(const std::string& number) { return Decimal::Parse(number).ScaledBy(0); }

TEST(Decimal, IsWholeHoweverItIsWritten) {
  EXPECT_EQ(Whole("0"), Int(0));
  EXPECT_EQ(Whole("-0"), Int(0));
  EXPECT_EQ(Whole("0.000e-5"), Int(0));
  EXPECT_EQ(Whole("300"), Int(300));
  EXPECT_EQ(Whole("300.0"), Int(300));
  EXPECT_EQ(Whole("-3e2"), Int(-300));
  EXPECT_EQ(Whole("3E+2"), Int(300));
  EXPECT_EQ(Whole("1.5e1"), Int(15));
  EXPECT_EQ(Whole("0.0300e4"), Int(300));
  EXPECT_EQ(Whole("30000e-2"), Int(300));
}

TEST(Decimal, IsNotWholeWithAFraction) {
  for (const std::string number :
       {"0.5", "1.5", "15e-1", "1e-400", "100.00000000000000000000001"}) {
    EXPECT_FALSE(Decimal::Parse(number).is_whole()) << number;
    EXPECT_EQ(Whole(number), std::nullopt) << number;
  }
}

TEST(Decimal, IsExactWhereADoubleIsNot) {
  EXPECT_EQ(Whole("9007199254740993"), Int(9007199254740993));
  EXPECT_EQ(Whole("18446744073709551615"), Int(18446744073709551615u));
  EXPECT_EQ(Decimal::Parse("1.5e1").ScaledBy(0), 15);
  EXPECT_EQ(Decimal::Parse("1.5").ScaledBy(0), std::nullopt);
  EXPECT_EQ(Decimal::Parse("1.5").ScaledBy(9), 1'500'000'000);
  EXPECT_EQ(Decimal::Parse("0.1").ScaledBy(9), Int(100'000'000));
  EXPECT_EQ(Decimal::Parse("315576000000.000000001").ScaledBy(9),
            Int(315576000000) * 1'000'000'000 + 1);
  EXPECT_EQ(Decimal::Parse("0.0000000001").ScaledBy(9), std::nullopt);
}

TEST(Decimal, HoldsUpToThirtyEightDigits) {
  EXPECT_TRUE(Whole("1" + std::string(37, '0')).has_value());
  EXPECT_FALSE(Whole("1" + std::string(38, '0')).has_value());
  EXPECT_TRUE(Whole(std::string(38, '9')).has_value());
  EXPECT_FALSE(Whole(std::string(39, '9')).has_value());
  EXPECT_FALSE(Whole("1e400").has_value());
  EXPECT_TRUE(Decimal::Parse("1e400").is_whole());
  EXPECT_FALSE(Decimal::Parse("1e400").is_zero());
}

TEST(Decimal, TakesAnyExponent) {
  EXPECT_TRUE(Decimal::Parse("1e99999999999999999999").is_whole());
  EXPECT_FALSE(Decimal::Parse("1e-99999999999999999999").is_whole());
  EXPECT_EQ(Whole("0e99999999999999999999"), Int(0));
  EXPECT_EQ(Whole("1" + std::string(1000, '0') + "e-1000"), Int(1));
  EXPECT_EQ(Whole("0." + std::string(999, '0') + "1e1000"), Int(1));
}

}  // namespace
}  // namespace pcap_gateway
