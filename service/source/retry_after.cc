#include "service/source/retry_after.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

namespace pcap_gateway {

std::optional<absl::Duration> RetryAfterFrom(absl::string_view header, absl::Time now) {
  header = absl::StripAsciiWhitespace(header);
  if (header.empty() || header.size() > 64) return std::nullopt;
  if (std::all_of(header.begin(), header.end(), absl::ascii_isdigit)) {
    int64_t seconds;
    if (!absl::SimpleAtoi(header, &seconds)) return kMostRetryAfter;  // too long to count
    return std::min(absl::Seconds(seconds), kMostRetryAfter);
  }
  // The three forms of RFC 9110, section 5.6.7. absl would also take "infinite-future".
  if (!absl::StrContains(header, ':')) return std::nullopt;
  for (const absl::string_view format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    absl::Time date;
    if (absl::ParseTime(format, header, absl::UTCTimeZone(), &date, nullptr)) {
      return std::clamp(date - now, absl::ZeroDuration(), kMostRetryAfter);
    }
  }
  return std::nullopt;
}

}  // namespace pcap_gateway
