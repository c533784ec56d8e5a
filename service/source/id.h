// Id: a Cloudflare identifier that was checked.
//
// Accounts and captures are named by 32 lower-case hex digits. An Id can only be made from such a
// text, so whatever holds one can put it into a URL path as it is: `../`, `%2f` or NUL never get
// past `Parse`.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_ID_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_ID_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

class Id {
 public:
  static constexpr size_t kBytes = 16;
  static constexpr size_t kDigits = 2 * kBytes;

  // The id of all zeros; stands for "none" in a Key whose endpoint has no such part.
  constexpr Id() = default;

  // `text`: exactly 32 of [0-9a-f]. Anything else: nullopt.
  static std::optional<Id> Parse(absl::string_view text) {
    if (text.size() != kDigits) return std::nullopt;
    Id id;
    for (size_t i = 0; i < kBytes; ++i) {
      const int high = HexValue(text[2 * i]);
      const int low = HexValue(text[2 * i + 1]);
      if ((high | low) < 0) return std::nullopt;
      id.bytes_[i] = static_cast<uint8_t>(high << 4 | low);
    }
    return id;
  }

  // The 32 hex digits.
  std::string ToString() const {
    return absl::BytesToHexString(
        absl::string_view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size()));
  }

  friend bool operator==(const Id& a, const Id& b) { return a.bytes_ == b.bytes_; }

  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.bytes_);
  }

 private:
  static constexpr int HexValue(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  }

  std::array<uint8_t, kBytes> bytes_{};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_ID_H_
