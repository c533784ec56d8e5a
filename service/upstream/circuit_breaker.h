// CircuitBreaker: whether an upstream that has been failing is worth asking.
//
//   closed      requests pass. So many failures in a row open it.
//   open        none passes, for a while that doubles with each time, up to a limit
//   half-open   after that one passes, the probe. Its success closes, its failure opens again.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_CIRCUIT_BREAKER_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_CIRCUIT_BREAKER_H_

#include <optional>

#include "absl/time/time.h"

namespace pcap_gateway {

struct BreakerPolicy {
  int failures_to_open = 20;  // in a row; positive
  absl::Duration open_for = absl::Seconds(1);
  absl::Duration open_for_at_most = absl::Seconds(30);
};

// Not thread-safe. Times given to it never go back.
class CircuitBreaker {
 public:
  enum class State { kClosed, kHalfOpen, kOpen };

  explicit CircuitBreaker(const BreakerPolicy& policy) : policy_(policy) {}

  // Asks leave for one request. Absent: granted; then the request ends with Succeeded, Failed or
  // Abandoned. Else: how long to wait, positive.
  std::optional<absl::Duration> Ask(absl::Time now);

  // The upstream answered, and is well.
  void Succeeded();
  // It did not answer, or is not well.
  void Failed(absl::Time now);
  // The request ended in a way that says nothing of the upstream.
  void Abandoned();

  State state() const;

 private:
  void Open(absl::Time now);

  const BreakerPolicy policy_;
  int failures_ = 0;      // in a row
  int times_opened_ = 0;  // since it was last closed
  absl::Time open_until_ = absl::InfinitePast();
  bool probing_ = false;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_CIRCUIT_BREAKER_H_
