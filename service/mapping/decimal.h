// Decimal: what a JSON number is worth, exactly. A double would turn 18446744073709551615 into its
// neighbour and 0.1 s into 0.1000000000000000055 s.
//
//   Decimal::Parse("1.5e1").ScaledBy(0) == 15
//   Decimal::Parse("1.5").ScaledBy(9) == 1'500'000'000
//   Decimal::Parse("1.5").ScaledBy(0) == std::nullopt
//
// The second are the nanoseconds in 1.5 s; the third is not whole.
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_DECIMAL_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_DECIMAL_H_

#include <cstdint>
#include <optional>

#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {

class Decimal {
 public:
  // `number`: as JSON writes numbers (RFC 8259, section 6), of any length and with any exponent;
  // takes time in proportion to its length only.
  static Decimal Parse(absl::string_view number);

  bool is_zero() const { return is_zero_; }
  bool is_whole() const { return is_zero_ || exponent_ >= 0; }

  // The number times 10 to the power of `power`, if that is whole and has at most 38 digits.
  std::optional<absl::int128> ScaledBy(int power) const;

 private:
  // ±digits_ × 10^exponent_; the last digit is not 0, so the number is whole if exponent_ >= 0.
  absl::int128 digits_ = 0;
  int64_t exponent_ = 0;
  int digit_count_ = 0;
  bool negative_ = false;
  bool is_zero_ = true;
  bool too_long_ = false;  // more digits than digits_ can hold
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_DECIMAL_H_
