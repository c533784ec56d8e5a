// For tests of the mapping: JSON in, protos in text format out.
#ifndef PCAP_GATEWAY_TESTS_UNIT_MAPPING_PROTO_MATCHERS_H_
#define PCAP_GATEWAY_TESTS_UNIT_MAPPING_PROTO_MATCHERS_H_

#include <string>

#include "gtest/gtest.h"
#include "service/mapping/json_value.h"
#include "tests/support/is_proto.h"

namespace pcap_gateway {

// A parsed document that must be sound.
inline JsonDocument Parsed(const std::string& text) {
  JsonDocument document = JsonDocument::Parse(text);
  EXPECT_EQ(document.fault(), JsonDocument::Fault::kNone) << text;
  return document;
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_UNIT_MAPPING_PROTO_MATCHERS_H_
