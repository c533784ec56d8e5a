#include "service/source/id.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/hash/hash_testing.h"

namespace pcap_gateway {
namespace {

constexpr char kDigits[] = "0123456789abcdef0123456789abcdef";

TEST(Id, Is32LowerCaseHexDigits) {
  for (const std::string& text :
       {std::string(kDigits), std::string(32, '0'), std::string(32, 'f'), std::string(32, '9')}) {
    const std::optional<Id> id = Id::Parse(text);
    ASSERT_TRUE(id.has_value()) << text;
    EXPECT_EQ(id->ToString(), text);
  }
}

TEST(Id, IsNoOtherLength) {
  const std::string digits = kDigits;
  EXPECT_FALSE(Id::Parse("").has_value());
  EXPECT_FALSE(Id::Parse(digits.substr(1)).has_value());
  EXPECT_FALSE(Id::Parse(digits + "0").has_value());
  EXPECT_FALSE(Id::Parse(digits + digits).has_value());
}

// Every place, every byte: nothing but [0-9a-f] gets through anywhere.
TEST(Id, HasNoOtherCharacterAtAnyPlace) {
  for (size_t place = 0; place < Id::kDigits; ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      std::string text = kDigits;
      text[place] = c;
      const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      ASSERT_EQ(Id::Parse(text).has_value(), hex) << "byte " << byte << " at " << place;
    }
  }
}

TEST(Id, IsNoPathThatLeadsElsewhere) {
  for (const char* text : {"../../../../accounts/0123456789a", "%2f%2e%2e%2f0123456789abcdef0123",
                           "0123456789abcdef0123456789abcde?", "0123456789abcdef0123456789abcde#",
                           "0123456789abcdef/123456789abcdef", "0123456789abcdef0123456789abcde\n",
                           "0x23456789abcdef0123456789abcdef", " 123456789abcdef0123456789abcdef",
                           "\xef\xbc\x91"
                           "123456789abcdef0123456789abcd"}) {
    ASSERT_EQ(std::string(text).size(), 32u) << text;
    EXPECT_FALSE(Id::Parse(text).has_value()) << text;
  }
  EXPECT_FALSE(Id::Parse(std::string(kDigits, 31) + '\0').has_value());
}

TEST(Id, IsAllZerosWhereItStandsForNone) {
  EXPECT_EQ(Id(), Id::Parse(std::string(32, '0')));
  EXPECT_EQ(Id().ToString(), std::string(32, '0'));
}

TEST(Id, EqualsAndHashesByAllItsDigits) {
  std::vector<Id> ids = {Id()};
  for (size_t place = 0; place < Id::kDigits; ++place) {
    std::string text(32, '0');
    text[place] = '1';
    ids.push_back(Id::Parse(text).value());
    EXPECT_FALSE(ids.back() == Id()) << place;
  }
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(ids));
}

}  // namespace
}  // namespace pcap_gateway
