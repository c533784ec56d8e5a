// What the environment says of a run.
#ifndef PCAP_GATEWAY_TESTS_HISTORY_ENVIRONMENT_H_
#define PCAP_GATEWAY_TESTS_HISTORY_ENVIRONMENT_H_

#include <cstdint>
#include <cstdlib>

#include "absl/strings/numbers.h"

namespace pcap_gateway {

// The number that the variable has; `otherwise` where it has none.
inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t number = 0;
  return text != nullptr && absl::SimpleAtoi(text, &number) ? number : otherwise;
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_HISTORY_ENVIRONMENT_H_
