// CallStats: what the RPC room counts.
#ifndef PCAP_GATEWAY_SERVICE_RPC_CALL_STATS_H_
#define PCAP_GATEWAY_SERVICE_RPC_CALL_STATS_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "service/source/counter.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

// Written on gRPC's threads, read by any.
struct CallStats {
  Counter started;
  std::array<Counter, 17> handled;  // by gRPC code, 0 to 16
  std::atomic<int64_t> waiting{0};  // calls whose answer was not at hand, not over yet

  void CountHandled(const Outcome& outcome) {
    handled[outcome.ok() ? 0 : static_cast<int>(outcome.error->code)].Add();
  }
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CALL_STATS_H_
