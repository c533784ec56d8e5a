#include "client/metadata_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pcap_client {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MetadataEntry, OrdinaryEntriesMayBeSent) {
  EXPECT_EQ(WhatIsWrongWithEntry("authorization", "Bearer abc_DEF-123"), "");
  EXPECT_EQ(WhatIsWrongWithEntry("x-request.id_2", " ~"), "");
  EXPECT_EQ(WhatIsWrongWithEntry("cache-control", ""), "");
}

TEST(MetadataEntry, KeysThatWouldEndTheProcessAreRefused) {
  for (const char* key : {"", "Upper", "a b", "a:", ":path", "a\n", "\xc3\xa4"}) {
    EXPECT_THAT(WhatIsWrongWithEntry(key, "v"), HasSubstr("[0-9a-z_.-]")) << key;
  }
}

TEST(MetadataEntry, KeysOfGrpcItselfAreRefused) {
  EXPECT_THAT(WhatIsWrongWithEntry("grpc-timeout", "1S"), HasSubstr("reserved"));
}

TEST(MetadataEntry, ValuesThatWouldEndTheProcessAreRefusedWithoutRepeatingThem) {
  for (const std::string value :
       {"secret\n", "secret\r", "secret\x1f", "secret\x7f", "secret\xff", "secret\u00e4"}) {
    const std::string wrong = WhatIsWrongWithEntry("authorization", value);
    EXPECT_THAT(wrong, HasSubstr("printable ASCII"));
    EXPECT_THAT(wrong, Not(HasSubstr("secret")));
  }
  EXPECT_NE(WhatIsWrongWithEntry("a", absl::string_view("\0", 1)), "");
}

TEST(IsUtf8, TakesWhatIsAndNothingElse) {
  for (const absl::string_view text :
       {"", "abc", "\x7f", "é", "京", "\xF0\x9F\x98\x80", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  for (const absl::string_view text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "a\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xE4\xBA",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE4(\xAC"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

}  // namespace
}  // namespace pcap_client
