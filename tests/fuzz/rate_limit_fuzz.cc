// Ratelimit and Ratelimit-Policy: items are within their bounds, and a budget that learns of them
// neither grants what is barred nor waits for ever.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/upstream/budget.h"
#include "service/upstream/rate_limit_headers.h"
#include "tests/fuzz/require.h"

namespace pcap_gateway {
namespace {

// Two headers written from the input's bytes come back as what they were written from.
void RequireReadBack(absl::string_view bytes) {
  std::string limits, policies;
  std::vector<RateLimit> limits_meant;
  std::vector<RateLimitPolicy> policies_meant;
  while (bytes.size() >= 8 && limits_meant.size() < 8) {
    const auto number = [&bytes](size_t at) {
      return static_cast<uint8_t>(bytes[at]) + 256 * static_cast<uint8_t>(bytes[at + 1]);
    };
    const int64_t first = int64_t{number(0)} * number(0) % 1'000'000'001;
    const int64_t second = number(2) * 480 + number(4) % 480;
    std::string name, quoted;
    for (const char c : bytes.substr(6, 2)) {
      const char shown = static_cast<char>(' ' + static_cast<uint8_t>(c) % 95);
      name += shown;
      if (shown == '"' || shown == '\\') quoted += '\\';
      quoted += shown;
    }
    const absl::string_view blank = number(2) % 2 == 0 ? " " : "";
    const absl::string_view comma = limits.empty() ? "" : blank.empty() ? "," : " ,\t";
    absl::StrAppend(&limits, comma, "\"", quoted, "\";", blank, "r=", first, ";x;t=", second);
    absl::StrAppend(&policies, comma, "\"", quoted, "\";w=", second, ";", blank, "q=", first);
    limits_meant.push_back({name, first, absl::Seconds(second)});
    if (first >= 1 && second >= 1) policies_meant.push_back({name, first, absl::Seconds(second)});
    bytes.remove_prefix(8);
  }
  const auto limits_read = RateLimitsFrom(limits);
  Require(
      std::equal(limits_read.begin(), limits_read.end(), limits_meant.begin(), limits_meant.end(),
                 [](const RateLimit& a, const RateLimit& b) {
                   return a.policy == b.policy && a.remaining == b.remaining && a.reset == b.reset;
                 }),
      "Ratelimit is read as it was written");
  const auto policies_read = RateLimitPoliciesFrom(policies);
  Require(std::equal(policies_read.begin(), policies_read.end(), policies_meant.begin(),
                     policies_meant.end(),
                     [](const RateLimitPolicy& a, const RateLimitPolicy& b) {
                       return a.name == b.name && a.quota == b.quota && a.window == b.window;
                     }),
          "Ratelimit-Policy is read as it was written");
}

}  // namespace
}  // namespace pcap_gateway

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pcap_gateway;
  absl::string_view text = TextOf(data, size);
  RequireReadBack(text);
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
  const Spending first{.question = 1, .caller = "one"}, second{.question = 2, .caller = "another"};
  budget.Ended(std::get<Grant>(budget.Spend(first, now)), 1, &answer, now);
  Require(budget.limit() >= 1, "some requests are allowed");
  const std::optional<absl::Time> barred = budget.BarredUntil(now);
  const auto said = budget.Spend(second, now);
  const auto* refusal = std::get_if<Refusal>(&said);
  if (barred.has_value()) {
    Require(*barred <= now + absl::Minutes(5), "no block is longer than Cloudflare's");
    Require(refusal != nullptr && now + refusal->wait >= *barred, "what is barred waits");
  }
  if (refusal != nullptr) {
    Require(refusal->wait > absl::ZeroDuration(), "who is refused has to wait");
    Require(refusal->wait <= absl::Minutes(6), "and not for ever");
    const absl::Time then = now + absl::Minutes(11);
    Require(std::holds_alternative<Grant>(budget.Spend(second, then)), "and then it is granted");
  }
  return 0;
}
