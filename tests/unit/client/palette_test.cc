#include "client/pcapctl/palette.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace pcap_client {
namespace {

TEST(Palette, PaintsOnlyWhenItIsOn) {
  EXPECT_EQ(Palette(true).Paint("good", Tone::kGood), "\x1b[32mgood\x1b[0m");
  EXPECT_EQ(Palette(false).Paint("good", Tone::kGood), "good");
  EXPECT_EQ(Palette().Paint("good", Tone::kGood), "good");
}

TEST(Palette, LeavesPlainAndEmptyTextAlone) {
  EXPECT_EQ(Palette(true).Paint("plain", Tone::kPlain), "plain");
  EXPECT_EQ(Palette(true).Paint("", Tone::kBad), "");
}

TEST(WantsColour, OnATerminalUnlessTheUserSaysNo) {
  const auto wants = [](ColourChoice choice, bool is_terminal,
                        std::map<std::string, std::string> environment = {}) {
    return WantsColour(choice, is_terminal, [&](const char* name) -> const char* {
      const auto found = environment.find(name);
      return found == environment.end() ? nullptr : found->second.c_str();
    });
  };
  EXPECT_TRUE(wants(ColourChoice::kAuto, true));
  EXPECT_FALSE(wants(ColourChoice::kAuto, false));
  EXPECT_FALSE(wants(ColourChoice::kAuto, true, {{"NO_COLOR", "1"}}));
  EXPECT_TRUE(wants(ColourChoice::kAuto, true, {{"NO_COLOR", ""}}));
  EXPECT_FALSE(wants(ColourChoice::kAuto, true, {{"TERM", "dumb"}}));
  EXPECT_TRUE(wants(ColourChoice::kAlways, false, {{"NO_COLOR", "1"}}));
  EXPECT_FALSE(wants(ColourChoice::kNever, true));
}

}  // namespace
}  // namespace pcap_client
