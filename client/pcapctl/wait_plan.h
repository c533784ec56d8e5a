// When `pcapctl wait` asks again.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_WAIT_PLAN_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_WAIT_PLAN_H_

#include <optional>

#include "absl/time/time.h"
#include "pcap_client/call_error.h"
#include "pcap_client/pcap_client.h"

namespace pcap_client {

// Whether a capture of this status stays as it is for ever.
bool IsFinal(pcap::v1::PcapStatus status);

// Whether a call that failed so may work when it is made again.
bool IsPassing(const CallError& error);

// How long to wait after an answer: as long as the gateway keeps it (`ttl` in its cache-status),
// since it would only say the same, but 1 s at least and 10 s at most.
absl::Duration PauseAfter(const AnswerInfo& info);

// How long to wait after the `failures`th failure in a row, from 1 on: what the gateway said
// (RetryInfo), else 1 s, doubled with each failure, 10 s at most.
absl::Duration PauseAfter(const CallError& error, int failures);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_WAIT_PLAN_H_
