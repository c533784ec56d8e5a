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
    int all = 0;
    for (size_t i = 0; i < kBytes; ++i) {
      const int8_t high = kHexValues[static_cast<uint8_t>(text[2 * i])];
      const int8_t low = kHexValues[static_cast<uint8_t>(text[2 * i + 1])];
      all |= high | low;
      id.bytes_[i] =
          static_cast<uint8_t>(static_cast<unsigned>(high) << 4 | static_cast<unsigned>(low));
    }
    if (all < 0) return std::nullopt;
    return id;
  }

  // The 32 hex digits.
  std::string ToString() const {
    return absl::BytesToHexString(
        absl::string_view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size()));
  }

  friend bool operator==(const Id& a, const Id& b) { return a.bytes_ == b.bytes_; }
  friend bool operator<(const Id& a, const Id& b) { return a.bytes_ < b.bytes_; }

  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.bytes_);
  }

 private:
  // Of each byte; -1 where it is no digit of ours. A table, as each call has two ids: comparing
  // took a fiftieth of a hit.
  static const std::array<int8_t, 256> kHexValues;

  std::array<uint8_t, kBytes> bytes_{};
};

inline constexpr std::array<int8_t, 256> Id::kHexValues = [] {
  std::array<int8_t, 256> values{};
  for (size_t c = 0; c < values.size(); ++c) {
    values[c] = -1;
    if (c >= '0' && c <= '9') values[c] = static_cast<int8_t>(c - '0');
    if (c >= 'a' && c <= 'f') values[c] = static_cast<int8_t>(c - 'a' + 10);
  }
  return values;
}();

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_ID_H_
