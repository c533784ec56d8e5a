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

}  // namespace
}  // namespace pcap_client
