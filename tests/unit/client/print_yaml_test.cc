#include "client/pcapctl/print_yaml.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <random>
#include <string>

namespace pcap_client {
namespace {

TEST(PcapYaml, HasTheProtosNamesInTheProtosOrder) {
  pcap::v1::GetPcapResponse response;
  auto& full = *response.mutable_pcap()->mutable_full();
  full.set_id("3d2b8c5f1a7e4960b1c2d3e4f5a60718");
  full.set_byte_limit(100);
  full.set_status(pcap::v1::PCAP_STATUS_COMPLETE);
  full.mutable_filter_v1()->set_protocol(6);
  response.add_messages()->set_message("a: b");
  EXPECT_EQ(*PcapYaml(response), R"(---
pcap:
  full:
    id: "3d2b8c5f1a7e4960b1c2d3e4f5a60718"
    byte_limit: "100"
    filter_v1:
      protocol: 6
    status: PCAP_STATUS_COMPLETE
messages:
  - message: "a: b"
)");
}

TEST(YamlOfJson, KeepsEachTypeApart) {
  EXPECT_EQ(*YamlOfJson(R"({"a":"5","b":5,"c":"no","d":false,"e":null,"f":"null","g":{},"h":[]})"),
            R"(---
a: "5"
b: 5
c: "no"
d: false
e: ~
f: "null"
g: {}
h: []
)");
}

TEST(YamlOfJson, OfWhatIsNotJsonIsAnError) { EXPECT_FALSE(YamlOfJson("{").ok()); }

// Texts that a strange upstream could send.
TEST(YamlOfJson, AnyTextIsReadBackAsItWas) {
  std::mt19937 random(20261123);
  const std::string pieces[] = {
      "a", "5", "\\n",          "\\u0000", "\\u001b", "\\\"", "\\\\", ": ", "- ", "#", "'", "{",
      "~", "é", "\xe2\x80\xa8", "yes",     "\\t",     "!",    "&",    "*",  "%",  "@", " "};
  for (int i = 0; i < 2000; ++i) {
    std::string json_text;
    for (int n = random() % 6; n >= 0; --n) json_text += pieces[random() % std::size(pieces)];
    const auto yaml = YamlOfJson("{\"k\":\"" + json_text + "\"}");
    ASSERT_TRUE(yaml.ok());
    // JSON is YAML, but for escapes of what is beyond ASCII, of which there are none here.
    const std::string expected = YAML::Load("\"" + json_text + "\"").as<std::string>();
    const YAML::Node read = YAML::Load(*yaml)["k"];
    ASSERT_EQ(read.as<std::string>(), expected) << *yaml;
  }
}

}  // namespace
}  // namespace pcap_client
