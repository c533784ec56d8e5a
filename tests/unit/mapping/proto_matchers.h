// For tests of the mapping: JSON in, protos in text format out.
#ifndef PCAP_GATEWAY_TESTS_UNIT_MAPPING_PROTO_MATCHERS_H_
#define PCAP_GATEWAY_TESTS_UNIT_MAPPING_PROTO_MATCHERS_H_

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "service/mapping/json_value.h"

namespace pcap_gateway {

// A parsed document that must be sound.
inline JsonDocument Parsed(const std::string& text) {
  JsonDocument document = JsonDocument::Parse(text);
  EXPECT_EQ(document.fault(), JsonDocument::Fault::kNone) << text;
  return document;
}

// The message equals the one that `text` describes, defaults and absence told apart.
MATCHER_P(IsProto, text, std::string("is ") + text) {
  std::unique_ptr<google::protobuf::Message> expected(arg.New());
  if (!google::protobuf::TextFormat::ParseFromString(text, expected.get())) {
    *result_listener << "the expectation is not in text format";
    return false;
  }
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  const bool equal = differencer.Compare(*expected, arg);
  *result_listener << difference;
  return equal;
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_UNIT_MAPPING_PROTO_MATCHERS_H_
