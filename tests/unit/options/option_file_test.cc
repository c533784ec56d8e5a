#include "service/option_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// "1 name>value<" of each line, or the error.
std::vector<std::string> Read(const std::string& text) {
  std::istringstream file(text);
  const auto lines = OptionLinesFrom(file);
  if (!lines.ok()) return {std::string(lines.status().message())};
  std::vector<std::string> read;
  for (const OptionLine& line : *lines) {
    read.push_back(std::to_string(line.number) + " " + line.name + ">" + line.value + "<");
  }
  return read;
}

TEST(OptionFile, HasALineForEachOption) {
  EXPECT_THAT(Read("listen = 127.0.0.1:1\ncache-bytes=64MiB\n"),
              ElementsAre("1 listen>127.0.0.1:1<", "2 cache-bytes>64MiB<"));
}

TEST(OptionFile, MayLackItsLastLineBreakOrHaveWindowsOnes) {
  EXPECT_THAT(Read("a = 1\r\nb = 2"), ElementsAre("1 a>1<", "2 b>2<"));
}

TEST(OptionFile, MayBeginWithAByteOrderMark) {
  EXPECT_THAT(Read("\xEF\xBB\xBF"
                   "a = 1\nb = 2"),
              ElementsAre("1 a>1<", "2 b>2<"));
  EXPECT_THAT(Read("\xEF\xBB\xBF# comment\r\na = 1"), ElementsAre("2 a>1<"));
  EXPECT_THAT(Read("\xEF\xBB\xBF"), IsEmpty());
}

TEST(OptionFile, MayBeEmpty) {
  EXPECT_THAT(Read(""), IsEmpty());
  EXPECT_THAT(Read("\n  \n\t\r\n"), IsEmpty());
}

TEST(OptionFile, CommentsDoNotCount) {
  EXPECT_THAT(Read("# a = 1\n  ; b = 2\nc = 3 # three\nd = 4\t; four\n"),
              ElementsAre("3 c>3<", "4 d>4<"));
}

TEST(OptionFile, ASignInsideAWordIsNoComment) {
  EXPECT_THAT(Read("token = /run/a#b;c\n"), ElementsAre("1 token>/run/a#b;c<"));
}

TEST(OptionFile, AValueMayHaveEqualsSignsBracketsCommasAndSpaces) {
  EXPECT_THAT(Read("a = b=c\nlisten = [::1]:0\nfile = /a, b c\n"),
              ElementsAre("1 a>b=c<", "2 listen>[::1]:0<", "3 file>/a, b c<"));
}

TEST(OptionFile, QuotesKeepWhatIsBetweenThem) {
  EXPECT_THAT(Read("a = \" x # y \"  # z\nb = '\"'\n"), ElementsAre("1 a> x # y <", "2 b>\"<"));
}

TEST(OptionFile, AValueMayBeEmpty) {
  EXPECT_THAT(Read("a =\nb = \"\"\nc = # nothing\n"), ElementsAre("1 a><", "2 b><", "3 c><"));
}

TEST(OptionFile, ALineThatIsNoneIsRefusedByItsNumber) {
  for (const char* line : {"listen", "[section]", "[", "= 1", "==", "a", "a # b = c"}) {
    EXPECT_THAT(Read(std::string("x = 1\n\n") + line + "\n"),
                ElementsAre("line 3: must be `name = value`"))
        << line;
  }
}

TEST(OptionFile, QuotesThatDoNotGoAroundTheValueAreRefused) {
  for (const char* value : {"\"", "\"a", "\"a\" b", "'a\"", "\"a\"\"b\""}) {
    EXPECT_THAT(Read(std::string("x = ") + value), ElementsAre(HasSubstr("line 1: the quotes")))
        << value;
  }
}

TEST(OptionFile, ANameThatComesTwiceIsRefused) {
  EXPECT_THAT(Read("a = 1\nb = 1\na = 1\n"), ElementsAre(StartsWith("line 3: ")));
}

TEST(OptionFile, AnErrorNeverRepeatsTheLine) {
  EXPECT_THAT(Read("canary"), ElementsAre(Not(HasSubstr("canary"))));
  EXPECT_THAT(Read("a = 'canary"), ElementsAre(Not(HasSubstr("canary"))));
}

}  // namespace
}  // namespace pcap_gateway
