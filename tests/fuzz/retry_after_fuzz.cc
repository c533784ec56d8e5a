// Retry-After: whatever it says, the wait lies between 0 and an hour.
#include <time.h>

#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "service/source/retry_after.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  const absl::string_view text = TextOf(data, size);
  const absl::Time now = absl::FromUnixSeconds(1'763'900'000);
  const std::optional<absl::Duration> wait = RetryAfterFrom(text, now);
  if (wait.has_value()) {
    Require(*wait >= absl::ZeroDuration() && *wait <= kMostRetryAfter, "0 to the most");
  }
  // A plain number of seconds is taken for what it is; more than 64 characters are none.
  uint32_t seconds = 0;
  const bool digits =
      !text.empty() && text.size() <= 64 && text.find_first_not_of("0123456789") == text.npos;
  if (digits && absl::SimpleAtoi(text, &seconds)) {
    Require(wait.has_value(), "a number of seconds is read");
    Require(*wait == std::min<absl::Duration>(absl::Seconds(seconds), kMostRetryAfter), "as it is");
  }
  // A date of RFC 9110's first form, read by libc and written again, is the time it names.
  tm date{};
  const std::string copy(text);
  const char* const end = strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (end == nullptr || end != copy.c_str() + copy.size()) return 0;
  const time_t then = timegm(&date);
  char written[64] = "";
  const tm again = *gmtime(&then);
  if (strftime(written, sizeof(written), "%a, %d %b %Y %H:%M:%S GMT", &again) == 0) return 0;
  if (written != copy) return 0;
  const absl::Duration until = absl::FromTimeT(then) - now;
  Require(wait.has_value(), "a date is read");
  Require(*wait == std::clamp(until, absl::ZeroDuration(), kMostRetryAfter), "relative to now");
  return 0;
}
