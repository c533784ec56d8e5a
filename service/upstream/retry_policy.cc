#include "service/upstream/retry_policy.h"

#include "service/source/retry_after.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;

bool IsTransientStatus(int status) {
  switch (status) {
    case 408:
    case 425:
    case 429:
      return true;
    case 501:  // not implemented
    case 505:  // HTTP version not supported
      return false;
    default:
      return status >= 500;
  }
}

}  // namespace

bool IsTransient(const HttpResult& result) {
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) {
    return IsTransientStatus(answer->status);
  }
  const auto* failure = std::get_if<TransportFailure>(&result);
  if (failure == nullptr) return false;
  switch (failure->kind) {
    case Kind::kResolve:
    case Kind::kConnect:
    case Kind::kBroken:
    case Kind::kStalled:
    case Kind::kOwnLimits:
      return true;
    case Kind::kTls:      // it stays as it is until somebody mends it
    case Kind::kTimeout:  // the time is over
    case Kind::kMalformed:
    case Kind::kTooLarge:
    case Kind::kCancelled:
    case Kind::kStopped:
      return false;
  }
  return false;
}

std::optional<absl::Duration> BackoffBefore(int attempt, const HttpResult& result,
                                            const RetryPolicy& policy, double chance,
                                            absl::Time now) {
  if (attempt > policy.most_attempts || !IsTransient(result)) return std::nullopt;
  const int doublings = std::clamp(attempt - 2, 0, 30);
  const absl::Duration most =
      std::min(policy.first_backoff * (int64_t{1} << doublings), policy.longest_backoff);
  const absl::Duration backoff = most * chance;
  const auto* answer = std::get_if<HttpAnswer>(&result);
  if (answer == nullptr) return backoff;
  const std::optional<absl::Duration> asked = RetryAfterFrom(answer->retry_after, now);
  if (!asked.has_value()) {
    // Who is limited and not told for how long is blocked for minutes.
    return answer->status == 429 ? std::nullopt : std::optional(backoff);
  }
  if (*asked > policy.longest_retry_after) return std::nullopt;
  return *asked + backoff;
}

}  // namespace pcap_gateway
