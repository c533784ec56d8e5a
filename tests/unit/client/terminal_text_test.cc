#include "client/pcapctl/terminal_text.h"

#include <gtest/gtest.h>

namespace pcap_client {
namespace {

TEST(TerminalText, LeavesWhatOnlyPrintsAlone) {
  EXPECT_EQ(TerminalText(""), "");
  EXPECT_EQ(TerminalText("s3://bucket/a?b=c&d=%20~"), "s3://bucket/a?b=c&d=%20~");
  EXPECT_EQ(TerminalText("Zürich 東京 🙂"), "Zürich 東京 🙂");
  EXPECT_EQ(TerminalText(R"(C:\n)"), R"(C:\n)");
}

TEST(TerminalText, KeepsEverythingInOneLine) {
  EXPECT_EQ(TerminalText("a\nb\r\nc\td"), R"(a\nb\r\nc\td)");
  EXPECT_EQ(TerminalText("a\u2028b\u2029c"), R"(a\u{2028}b\u{2029}c)");
}

TEST(TerminalText, DisarmsTerminalCommands) {
  EXPECT_EQ(TerminalText("ok\x1b[2J"), R"(ok\x1b[2J)");
  EXPECT_EQ(TerminalText("\x1b[2J\x1b]0;title\x07"), R"(\x1b[2J\x1b]0;title\x07)");
  EXPECT_EQ(TerminalText(std::string("a\0b\x7f", 4)), R"(a\x00b\x7f)");
}

TEST(TerminalText, DisarmsC1Controls) {
  EXPECT_EQ(TerminalText("\u009b31m"), R"(\u{9b}31m)");  // the same command as ESC [
  EXPECT_EQ(TerminalText("\u0080\u009f\u00a0"), "\\u{80}\\u{9f}\u00a0");
}

TEST(TerminalText, ShowsCharactersThatReorderOrHideText) {
  EXPECT_EQ(TerminalText("a\u202eb\u2066c\u200bd\ufeff"),
            R"(a\u{202e}b\u{2066}c\u{200b}d\u{feff})");
  EXPECT_EQ(TerminalText("\U000e0041"), R"(\u{e0041})");
}

TEST(TerminalText, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(TerminalText("a\xff\xc3"), R"(a\xff\xc3)");
  EXPECT_EQ(TerminalText("\x9b"
                         "31m"),
            R"(\x9b31m)");                                             // C1 in an 8-bit encoding
  EXPECT_EQ(TerminalText("\xc0\x9b"), R"(\xc0\x9b)");                  // overlong
  EXPECT_EQ(TerminalText("\xe0\x82\x9b"), R"(\xe0\x82\x9b)");          // overlong
  EXPECT_EQ(TerminalText("\xed\xa0\x80"), R"(\xed\xa0\x80)");          // a surrogate
  EXPECT_EQ(TerminalText("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)");  // beyond U+10FFFF
  EXPECT_EQ(TerminalText("\xe2\x82"), R"(\xe2\x82)");                  // cut off
}

TEST(CodePoints, AreCountedRatherThanBytes) { EXPECT_EQ(CodePoints("Zü東🙂"), 4u); }

}  // namespace
}  // namespace pcap_client
