#include "client/pcapctl/context_edits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/pcapctl/context_file.h"

namespace pcap_client {
namespace {

using testing::HasSubstr;

Settings EverySetting() {
  Settings settings{.tls = false};
  for (const auto& [key, text] : kTextSettings) settings.*text = std::string("the ") + key;
  return settings;
}

TEST(ContextEdits, WhatWasAddedIsReadAgain) {
  for (const std::string name :
       {"a", "null", "~", "true", "- a", "{", "'", "\"", "#", "it's: #1", "ä", " "}) {
    const auto yaml = WithContext("", name, EverySetting());
    ASSERT_TRUE(yaml.ok()) << yaml.status();
    const auto file = ParseContextFile(*yaml);
    ASSERT_TRUE(file.ok()) << file.status() << *yaml;
    EXPECT_EQ(file->current, name);  // as the first
    ASSERT_TRUE(file->contexts.contains(name)) << *yaml;
    EXPECT_EQ(file->contexts.at(name), EverySetting()) << *yaml;
  }
}

TEST(ContextEdits, LeaveTheRestInItsOrder) {
  const std::string yaml = "contexts:\n  b:\n    address: b:1\n  a:\n    tls: true\n";
  const auto added = WithContext(yaml, "0", {.address = "c:1"});
  EXPECT_EQ(added.value_or(""), yaml + "  0:\n    address: c:1\n");
  EXPECT_EQ(WithoutContext(*added, "0").value_or(""), yaml);
  const auto used = WithCurrentContext(yaml, "a");
  EXPECT_EQ(used.value_or(""), yaml + "current-context: a\n");
  EXPECT_EQ(WithoutContext(*used, "a").value_or(""), "contexts:\n  b:\n    address: b:1\n");
}

TEST(ContextEdits, ThatLeaveNoContextAreUndoneByTheNextOne) {
  const auto one = WithContext("# nothing yet\n", "a", {.address = "a:1"});
  const auto none = WithoutContext(*one, "a");
  ASSERT_TRUE(ParseContextFile(none.value_or("none")).ok()) << *none;
  EXPECT_EQ(WithContext(*none, "a", {.address = "a:1"}).value_or(""),
            "contexts:\n  a:\n    address: a:1\ncurrent-context: a\n");
}

TEST(ContextEdits, RefuseAFileThatIsWrongAndNamesThatAreNotThere) {
  EXPECT_THAT(WithContext("contexts: 5\n", "a", {}).status().message(), HasSubstr("line 1"));
  EXPECT_THAT(WithCurrentContext("contexts: 5\n", "a").status().message(), HasSubstr("line 1"));
  EXPECT_THAT(WithoutContext("contexts: 5\n", "a").status().message(), HasSubstr("line 1"));
  EXPECT_THAT(WithCurrentContext("", "a").status().message(), HasSubstr("none yet"));
  EXPECT_THAT(WithoutContext("contexts: {b: {}}\n", "a").status().message(),
              HasSubstr("no context `a`"));
}

TEST(ContextEdits, KnowCommentsFromOtherSigns) {
  EXPECT_TRUE(HasComments("# mine\ncontexts: {}\n"));
  EXPECT_TRUE(HasComments("contexts: {} # mine\n"));
  EXPECT_TRUE(HasComments("contexts: {'#': {address: 'a#1'}} # mine\n"));
  EXPECT_FALSE(HasComments("contexts: {'#': {address: 'a#1'}}\n"));
  EXPECT_FALSE(HasComments(""));
}

}  // namespace
}  // namespace pcap_client
