// Retry-After: whatever it says, the wait lies between 0 and an hour.
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
  // A plain number of seconds is taken for what it is.
  uint32_t seconds = 0;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  if (digits && absl::SimpleAtoi(text, &seconds)) {
    Require(wait.has_value(), "a number of seconds is read");
    Require(*wait == std::min<absl::Duration>(absl::Seconds(seconds), kMostRetryAfter), "as it is");
  }
  return 0;
}
