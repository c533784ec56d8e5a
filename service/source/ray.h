// Ray: Cloudflare's id of one exchange, as its header cf-ray says it.
//
// Hex digits, a dash and a data center's code, twenty characters in all; held in place, as each
// outcome in the cache has one.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_RAY_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_RAY_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

class Ray {
 public:
  static constexpr size_t kMost = 23;

  constexpr Ray() = default;  // empty: not known

  // Any text; one of more than kMost bytes is no ray, and leaves this empty.
  explicit Ray(absl::string_view text) {
    if (text.size() <= kMost) size_ = static_cast<uint8_t>(text.copy(text_.data(), kMost));
  }

  // Lives as long as this does.
  absl::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, kMost> text_{};
  uint8_t size_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_RAY_H_
