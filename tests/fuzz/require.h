// What a fuzz target holds its code to.
#ifndef PCAP_GATEWAY_TESTS_FUZZ_REQUIRE_H_
#define PCAP_GATEWAY_TESTS_FUZZ_REQUIRE_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"

// Called with one input after the other; 0 is what libFuzzer wants back.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace pcap_gateway {

// Ends the process where `rule` does not hold, which is how libFuzzer hears of a finding.
inline void Require(bool rule, const char* what) {
  if (rule) return;
  std::fprintf(stderr, "broken rule: %s\n", what);
  std::abort();
}

inline absl::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Takes what stands before the next `\n` off `text`, and that as well; all of it where there is
// none. So an input of several parts can be read, and written by hand.
inline absl::string_view TakeLine(absl::string_view& text) {
  const size_t end = text.find('\n');
  const absl::string_view line = text.substr(0, end);
  text.remove_prefix(end == absl::string_view::npos ? text.size() : end + 1);
  return line;
}

inline bool IsPrintableAscii(absl::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_FUZZ_REQUIRE_H_
