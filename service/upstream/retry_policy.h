// RetryPolicy: which failed requests are repeated, when, and how many at most. Values and pure
// functions.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_RETRY_POLICY_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_RETRY_POLICY_H_

#include <algorithm>
#include <optional>

#include "absl/time/time.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

struct RetryPolicy {
  int most_attempts = 3;  // of one request, the first one included; 1: no retries
  absl::Duration first_backoff = absl::Milliseconds(100);
  absl::Duration longest_backoff = absl::Seconds(2);
  // Beyond this a Retry-After is for the caller to wait out: the request is not repeated.
  absl::Duration longest_retry_after = absl::Seconds(5);
  // Retries for each request, over all of them: an outage is not multiplied.
  double retries_per_request = 0.2;
  double most_saved_retries = 20;
};

// Whether the same request may have another end: no answer, 408, 425, 429 and 5xx but 501 and 505.
// Not what we withheld or cancelled ourselves, and not an answer that cannot be read.
bool IsTransient(const HttpResult& result);

// How long to wait before attempt number `attempt` (2 or more), after `result`. `chance`: 0 to 1.
// Absent: not to be repeated. Exponential with full jitter; a Retry-After is its lower bound.
std::optional<absl::Duration> BackoffBefore(int attempt, const HttpResult& result,
                                            const RetryPolicy& policy, double chance,
                                            absl::Time now);

// How many retries there may be, saved up by requests.
class RetryAllowance {
 public:
  explicit RetryAllowance(const RetryPolicy& policy)
      : policy_(policy), saved_(policy.most_saved_retries) {}

  void AddRequest() {
    saved_ = std::min(saved_ + policy_.retries_per_request, policy_.most_saved_retries);
  }
  bool TakeRetry() {
    if (saved_ < 1) return false;
    saved_ -= 1;
    return true;
  }

 private:
  const RetryPolicy policy_;
  double saved_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_RETRY_POLICY_H_
