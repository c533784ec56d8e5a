// What the RPC room counts.
#ifndef PCAP_GATEWAY_SERVICE_RPC_CALL_STATS_H_
#define PCAP_GATEWAY_SERVICE_RPC_CALL_STATS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "service/base/counter.h"
#include "service/base/histogram.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

// Of one method. Written on gRPC's threads, read by any.
struct RpcStats {
  Counter started;
  std::array<Counter, 17> handled;  // by gRPC code, 0 to 16
  Counter received;                 // messages
  Counter sent;
  // From the request's arrival to its answer's leave. From a hit of the cache, which takes some
  // microseconds, to a call that waits out upstream's timeout; finer where an answer from
  // Cloudflare usually lies, so that quantiles of it can be told.
  Histogram handling{absl::Microseconds(10),   absl::Microseconds(25),  absl::Microseconds(50),
                     absl::Microseconds(100),  absl::Microseconds(250), absl::Microseconds(500),
                     absl::Milliseconds(1),    absl::Milliseconds(5),   absl::Milliseconds(10),
                     absl::Milliseconds(25),   absl::Milliseconds(50),  absl::Milliseconds(100),
                     absl::Milliseconds(250),  absl::Milliseconds(500), absl::Seconds(1),
                     absl::Milliseconds(2500), absl::Seconds(5),        absl::Seconds(10),
                     absl::Seconds(30)};
};

// Of calls and streams of any method that were ended as their peers kept us waiting.
struct StreamLimitStats {
  Counter refused;  // there was no room for it, or for others beside it
  Counter late;     // its peer took too long
};

// Of a row of Methods().
struct MethodStats : RpcStats {
  std::array<Counter, kReasons> failed;  // calls, by Reason
  std::atomic<int64_t> open{0};          // streams of answers
  Counter streamed_bytes;                // of their messages

  void CountHandled(const Outcome& outcome, absl::Duration duration) {
    handled[outcome.ok() ? 0 : static_cast<int>(outcome.error->code)].Add();
    if (!outcome.ok()) failed[static_cast<size_t>(outcome.error->reason)].Add();
    handling.Observe(duration);
  }
};

// Of all of them.
struct CallStats {
  // `methods`: how many there are.
  explicit CallStats(size_t methods) : of(methods) {}

  std::vector<MethodStats> of;      // by the method's number
  Counter refused;                  // calls that were one too many
  Counter handed_back;              // replies that came through the queue
  StreamLimitStats streams;         // other methods', too
  std::atomic<int64_t> waiting{0};  // calls whose answer was not at hand, not over yet
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_CALL_STATS_H_
