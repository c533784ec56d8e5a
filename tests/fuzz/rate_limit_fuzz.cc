// Ratelimit and Ratelimit-Policy: items are within their bounds, and a budget that learns of them
// neither grants what is barred nor waits for ever.
#include "service/upstream/budget.h"
#include "service/upstream/rate_limit_headers.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  absl::string_view text = TextOf(data, size);
  constexpr absl::Duration kYear = absl::Hours(24 * 366);
  HttpAnswer answer;
  answer.status = 200;
  answer.ratelimit = std::string(TakeLine(text));
  answer.ratelimit_policy = std::string(TakeLine(text));
  answer.retry_after = std::string(TakeLine(text));
  if (!text.empty()) answer.status = 429;
  for (const RateLimit& limit : RateLimitsFrom(answer.ratelimit)) {
    Require(limit.remaining >= 0, "r is not negative");
    Require(limit.reset >= absl::ZeroDuration() && limit.reset <= kYear, "t is within a year");
  }
  for (const RateLimitPolicy& policy : RateLimitPoliciesFrom(answer.ratelimit_policy)) {
    Require(policy.quota >= 1, "q is positive");
    Require(policy.window >= absl::Seconds(1) && policy.window <= kYear, "w is within a year");
  }
  const absl::Time now = absl::FromUnixSeconds(1'763'900'000);
  Budget budget({.limit = 3});
  budget.Learn(answer, 0, now);
  const std::optional<absl::Time> barred = budget.BarredUntil(now);
  const std::optional<absl::Time> later = budget.Spend(1, false, now);
  if (barred.has_value()) Require(later.has_value() && *later >= *barred, "what is barred waits");
  if (later.has_value()) {
    Require(*later > now && *later <= now + kYear + absl::Hours(1), "and not for ever");
    Require(!budget.Spend(1, false, *later).has_value(), "and then it is granted");
  }
  return 0;
}
