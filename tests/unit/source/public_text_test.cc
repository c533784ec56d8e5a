#include "service/source/public_text.h"

#include <string>

#include "gtest/gtest.h"

namespace pcap_gateway {
namespace {

TEST(PublicText, LeavesAPlainSentenceAlone) {
  EXPECT_EQ(PublicText("time_limit must be < 300 & > 0, caf\xC3\xA9", 200),
            "time_limit must be < 300 & > 0, caf\xC3\xA9");
}

TEST(PublicText, TurnsControlCharactersAndRunsOfSpaceIntoOneSpace) {
  EXPECT_EQ(PublicText("\r\n a\tb\x1B[31m  c\x7F"
                       "d\n",
                       200),
            "a b [31m c d");
  EXPECT_EQ(PublicText(std::string("a\0b", 3), 200), "a b");
}

TEST(PublicText, DropsCharactersThatReorderOrHideText) {
  for (const std::string mark : {"\xC2\x85", "\xC2\x9B", "\xE2\x80\x8B", "\xE2\x80\xAE",
                                 "\xE2\x80\xA8", "\xE2\x81\xA6", "\xEF\xBB\xBF", "\xD8\x9C"}) {
    EXPECT_EQ(PublicText("a" + mark + "b", 200), "a b");
  }
  EXPECT_EQ(PublicText("\xE2\x80\x94 \xE2\x81\x84 \xC2\xB5", 200),
            "\xE2\x80\x94 \xE2\x81\x84 \xC2\xB5");
}

TEST(PublicText, DropsHtmlTags) {
  EXPECT_EQ(PublicText("bad\r\n  filter: <b>ip</b>", 200), "bad filter: ip");
  EXPECT_EQ(PublicText("<!DOCTYPE html><html><b>bad</b> gateway</html>", 200), "bad gateway");
  EXPECT_EQ(PublicText("oh <script src=", 200), "oh");
  EXPECT_EQ(PublicText("</", 200), "");
  EXPECT_EQ(PublicText("a <", 200), "a <");
}

TEST(PublicText, HidesSecretsBeforeAnythingElse) {
  EXPECT_EQ(PublicText("r2://b?secret-access-key=<b>s3cr3t</b>", 200),
            "r2://b?secret-access-key=REDACTED");
  EXPECT_EQ(PublicText("secret-access-key=s3cr3t", 12), "secret-ac...");
}

TEST(PublicText, CutsBetweenCharacters) {
  EXPECT_EQ(PublicText("12345678", 8), "12345678");
  EXPECT_EQ(PublicText("123456789", 8), "12345...");
  EXPECT_EQ(PublicText("1234\xC3\xA9 5678", 8), "1234...");
  EXPECT_EQ(PublicText("123\xF0\x9F\x98\x80 5678", 9), "123...");
  EXPECT_EQ(PublicText(std::string(1 << 20, 'x'), 200), std::string(197, 'x') + "...");
}

}  // namespace
}  // namespace pcap_gateway
