#include "service/mapping/field_reader.h"

#include <limits>

#include "absl/numeric/int128.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/time/civil_time.h"
#include "service/mapping/decimal.h"

namespace pcap_gateway {
namespace {

using google::protobuf::Duration;
using google::protobuf::Timestamp;

constexpr int64_t kNanosPerSecond = 1'000'000'000;

// The bound that google/protobuf/duration.proto sets: about 10,000 years.
constexpr int64_t kMostDurationSeconds = 315'576'000'000;

template <typename Integer>
std::optional<Integer> WholeFrom(const JsonValue& json) {
  if (!json.is_number()) return std::nullopt;
  const std::optional<absl::int128> value = Decimal::Parse(json.text()).ScaledBy(0);
  if (!value.has_value() || *value < std::numeric_limits<Integer>::min() ||
      *value > std::numeric_limits<Integer>::max()) {
    return std::nullopt;
  }
  return static_cast<Integer>(*value);
}

// Takes a time apart, from left to right.
class TimeText {
 public:
  explicit TimeText(absl::string_view text) : rest_(text) {}

  // A number of exactly `digits` digits; -1 if there is none.
  int Number(size_t digits) {
    if (rest_.size() < digits) return -1;
    int number = 0;
    for (size_t i = 0; i < digits; ++i) {
      if (!absl::ascii_isdigit(rest_[i])) return -1;
      number = number * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return number;
  }

  // The next character, if it is one of `any`; else NUL.
  char Take(absl::string_view any) {
    if (rest_.empty() || any.find(rest_.front()) == absl::string_view::npos) return '\0';
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }

  // Digits up to the next other character, as billionths; -1 if there is none, or more than nine.
  int Billionths() {
    int value = 0;
    int digits = 0;
    while (!rest_.empty() && absl::ascii_isdigit(rest_.front())) {
      if (++digits > 9) return -1;
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    if (digits == 0) return -1;
    for (; digits < 9; ++digits) value *= 10;
    return value;
  }

  bool empty() const { return rest_.empty(); }

 private:
  absl::string_view rest_;
};

// Seconds since 1970 of `YYYY-MM-DDThh:mm:ss`, as if in UTC.
std::optional<int64_t> SecondsFrom(TimeText& text) {
  const int year = text.Number(4);
  if (!text.Take("-")) return std::nullopt;
  const int month = text.Number(2);
  if (!text.Take("-")) return std::nullopt;
  const int day = text.Number(2);
  if (!text.Take("Tt")) return std::nullopt;
  const int hour = text.Number(2);
  if (!text.Take(":")) return std::nullopt;
  const int minute = text.Number(2);
  if (!text.Take(":")) return std::nullopt;
  const int second = text.Number(2);
  const absl::CivilSecond civil(year, month, day, hour, minute, second);
  // It turns 30 February into 1 March, and -1 into the end of the month before.
  if (civil.year() != year || civil.month() != month || civil.day() != day ||
      civil.hour() != hour || civil.minute() != minute || civil.second() != second) {
    return std::nullopt;
  }
  return civil - absl::CivilSecond(1970);
}

// Of the year 1 in UTC.
int64_t FirstSecond() { return absl::CivilSecond(1) - absl::CivilSecond(1970); }

// Seconds that `Z` or `±hh:mm` is ahead of UTC.
std::optional<int64_t> OffsetFrom(TimeText& text) {
  if (text.Take("Zz")) return 0;
  const char sign = text.Take("+-");
  if (!sign) return std::nullopt;
  const int hours = text.Number(2);
  if (!text.Take(":")) return std::nullopt;
  const int minutes = text.Number(2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const int64_t seconds = int64_t{60} * (60 * hours + minutes);
  return sign == '-' ? -seconds : seconds;
}

}  // namespace

std::optional<std::string> TextFrom(const JsonValue& json, Secrets secrets) {
  if (!json.is_string()) return std::nullopt;
  return secrets == Secrets::kHide ? RedactText(json.text()) : std::string(json.text());
}

std::optional<std::string> DestinationFrom(const JsonValue& json, Secrets secrets) {
  if (!json.is_string()) return std::nullopt;
  return secrets == Secrets::kHide ? RedactDestination(json.text()) : std::string(json.text());
}

std::optional<int64_t> Int64From(const JsonValue& json) { return WholeFrom<int64_t>(json); }

std::optional<uint32_t> UInt32From(const JsonValue& json) { return WholeFrom<uint32_t>(json); }

std::optional<Timestamp> TimestampFrom(const JsonValue& json) {
  static const int64_t last = absl::CivilSecond(10000) - absl::CivilSecond(1970) - 1;
  if (!json.is_string()) return std::nullopt;
  TimeText text(json.text());
  const std::optional<int64_t> local = SecondsFrom(text);
  if (!local.has_value()) return std::nullopt;
  const int nanos = text.Take(".") ? text.Billionths() : 0;
  if (nanos < 0) return std::nullopt;
  const std::optional<int64_t> offset = OffsetFrom(text);
  if (!offset.has_value() || !text.empty()) return std::nullopt;
  const int64_t seconds = *local - *offset;
  if (seconds < FirstSecond() || seconds > last) return std::nullopt;
  Timestamp timestamp;
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(nanos);
  return timestamp;
}

bool IsZeroTime(const JsonValue& json) {
  // Most times are told from it by their first digit.
  if (!absl::StartsWith(json.text(), "0")) return false;
  const std::optional<Timestamp> time = TimestampFrom(json);
  return time.has_value() && time->nanos() == 0 && time->seconds() == FirstSecond();
}

std::optional<Duration> DurationFrom(const JsonValue& json) {
  if (!json.is_number()) return std::nullopt;
  const std::optional<absl::int128> nanos = Decimal::Parse(json.text()).ScaledBy(9);
  const absl::int128 most = absl::int128(kMostDurationSeconds) * kNanosPerSecond;
  if (!nanos.has_value() || *nanos > most || *nanos < -most) return std::nullopt;
  Duration duration;
  duration.set_seconds(static_cast<int64_t>(*nanos / kNanosPerSecond));
  duration.set_nanos(static_cast<int32_t>(*nanos % kNanosPerSecond));
  return duration;
}

}  // namespace pcap_gateway
