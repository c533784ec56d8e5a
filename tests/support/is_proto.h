// IsProto: a matcher of a message by its text format. DebugString is none to compare with: what it
// prints differs between versions of protobuf.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_IS_PROTO_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_IS_PROTO_H_

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"

namespace pcap_gateway {

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

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_IS_PROTO_H_
