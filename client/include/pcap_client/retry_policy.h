// RetryPolicy: how often, and after which pauses, a call is tried again by itself.
//
// Only UNAVAILABLE is tried again (AIP-194), and only for methods that change nothing. gRPC does it
// by service config, inside the call's deadline, and stops for a while when most attempts fail, so
// that a gateway in trouble is not asked four times as much.
#ifndef PCAP_CLIENT_RETRY_POLICY_H_
#define PCAP_CLIENT_RETRY_POLICY_H_

#include "absl/time/time.h"

namespace pcap_client {

struct RetryPolicy {
  // The first attempt counted too: 1 (no retry) to 5 (gRPC caps there). 4: AIP-194.
  int max_attempts = 4;

  // The pause before the second attempt. gRPC varies each pause at random, so that callers that
  // failed together do not return together. 3 ms to 1 h: newer gRPCs hang on retries after less.
  absl::Duration initial_backoff = absl::Milliseconds(200);

  // No pause is longer; `initial_backoff` or more.
  absl::Duration max_backoff = absl::Seconds(2);

  // Each pause is this many times the one before; 1 or more.
  double backoff_multiplier = 2;
};

}  // namespace pcap_client

#endif  // PCAP_CLIENT_RETRY_POLICY_H_
