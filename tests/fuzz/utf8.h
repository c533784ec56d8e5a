// Whether text is UTF-8, as Protocol Buffers sees it.
#ifndef PCAP_GATEWAY_TESTS_FUZZ_UTF8_H_
#define PCAP_GATEWAY_TESTS_FUZZ_UTF8_H_

#include "absl/strings/string_view.h"
#include "google/protobuf/stubs/common.h"
#if GOOGLE_PROTOBUF_VERSION >= 4022000
#include "utf8_validity.h"
#endif

namespace pcap_gateway {

inline bool IsUtf8(absl::string_view text) {
#if GOOGLE_PROTOBUF_VERSION < 4022000
  return google::protobuf::internal::IsStructurallyValidUTF8(text.data(),
                                                             static_cast<int>(text.size()));
#else
  return utf8_range::IsStructurallyValid(text);
#endif
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_FUZZ_UTF8_H_
