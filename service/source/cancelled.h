// CancelledReply: what Ticket::Cancel lets the asker have.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_CANCELLED_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_CANCELLED_H_

#include "service/source/outcome.h"

namespace pcap_gateway {

inline Reply CancelledReply() {
  return FailedReply(
      Error(absl::StatusCode::kCancelled, Reason::kCancelled, "the call was cancelled"));
}

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_CANCELLED_H_
