// Until: waits for what other threads or processes do, where it can only be looked at.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_UNTIL_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_UNTIL_H_

#include <chrono>
#include <thread>

namespace pcap_gateway {

// False: it has not come about within the patience of a test.
template <typename Condition>
[[nodiscard]] bool Until(Condition condition) {
  const auto give_up_at = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up_at) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_UNTIL_H_
