#include "client/pcapctl/table.h"

#include <gtest/gtest.h>

namespace pcap_client {
namespace {

TEST(Table, AlignsValuesBehindTheWidestLabel) {
  Table table;
  table.Row("Id", "1");
  table.Section("Filter");
  table.SubRow("Source port", "443");
  EXPECT_EQ(table.Text(),
            "Id             1\n"
            "Filter\n"
            "  Source port  443\n");
}

TEST(Table, ALongLabelDoesNotPushTheOthersAside) {
  Table table;
  table.Row("Id", "1");
  table.Row(std::string(25, 'x'), "2");
  EXPECT_EQ(table.Text(), "Id  1\n" + std::string(25, 'x') + "  2\n");
}

TEST(Table, CountsCharactersRatherThanBytes) {
  Table table;
  table.Row("größe", "1");
  table.Row("a", "2");
  EXPECT_EQ(table.Text(),
            "größe  1\n"
            "a      2\n");
}

TEST(Table, DisarmsLabelsAndValues) {
  Table table;
  table.Row("a\x1b[m", "b\nc");
  table.SubRow("d\u009b", "e");
  EXPECT_EQ(table.Text(),
            "a\\x1b[m    b\\nc\n"
            "  d\\u{9b}  e\n");
}

TEST(Table, WithoutLinesIsNoText) { EXPECT_EQ(Table().Text(), ""); }

}  // namespace
}  // namespace pcap_client
