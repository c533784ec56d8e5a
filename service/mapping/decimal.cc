#include "service/mapping/decimal.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace pcap_gateway {
namespace {

constexpr int64_t kMostDigits = 38;  // 10^38 < 2^127

// Beyond any exponent that matters, and far from overflow when digits are counted on top.
constexpr int64_t kHugeExponent = int64_t{1} << 40;

int64_t ExponentFrom(absl::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  int64_t exponent = 0;
  for (const char c : text) {
    if (absl::ascii_isdigit(c)) exponent = std::min(exponent * 10 + (c - '0'), kHugeExponent);
  }
  return negative ? -exponent : exponent;
}

absl::int128 TimesTenTo(absl::int128 value, int64_t power) {
  for (; power > 0; --power) value *= 10;
  return value;
}

}  // namespace

Decimal Decimal::Parse(absl::string_view number) {
  Decimal decimal;
  int64_t zeros = 0;  // since the last other digit; they count only if another one follows
  bool in_fraction = false;
  for (size_t i = 0; i < number.size(); ++i) {
    const char c = number[i];
    if (absl::ascii_isdigit(c)) {
      if (in_fraction) --decimal.exponent_;
      if (c == '0') {
        if (!decimal.is_zero_) ++zeros;
        continue;
      }
      decimal.is_zero_ = false;
      if (decimal.digit_count_ + zeros + 1 > kMostDigits) {
        decimal.too_long_ = true;
      } else {
        decimal.digits_ = TimesTenTo(decimal.digits_, zeros + 1) + (c - '0');
        decimal.digit_count_ += static_cast<int>(zeros + 1);
      }
      zeros = 0;
    } else if (c == '-') {
      decimal.negative_ = true;
    } else if (c == '.') {
      in_fraction = true;
    } else {  // 'e' or 'E'
      decimal.exponent_ += ExponentFrom(number.substr(i + 1));
      break;
    }
  }
  decimal.exponent_ += zeros;
  return decimal;
}

std::optional<absl::int128> Decimal::ScaledBy(int power) const {
  if (is_zero_) return absl::int128(0);
  const int64_t zeros = exponent_ + power;
  if (too_long_ || zeros < 0 || digit_count_ + zeros > kMostDigits) return std::nullopt;
  const absl::int128 value = TimesTenTo(digits_, zeros);
  return negative_ ? -value : value;
}

}  // namespace pcap_gateway
