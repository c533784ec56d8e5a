// LatestDeadline: until when anybody waits for an answer that many may come to wait for, and leave.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_LATEST_DEADLINE_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_LATEST_DEADLINE_H_

#include <atomic>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace pcap_gateway {

// Thread-safe.
class LatestDeadline {
 public:
  explicit LatestDeadline(absl::Time deadline) : nanos_(absl::ToUnixNanos(deadline)) {}

  // Never makes it earlier.
  void Extend(absl::Time deadline) {
    const int64_t later = absl::ToUnixNanos(deadline);
    int64_t nanos = nanos_.load(std::memory_order_relaxed);
    while (nanos < later && !nanos_.compare_exchange_weak(nanos, later)) {
    }
  }

  // All have left. (Whoever comes meanwhile must not be overlooked: who calls this holds the lock
  // under which they come.)
  void Reset() { nanos_.store(kNobody, std::memory_order_relaxed); }

  // InfinitePast: nobody waits. InfiniteFuture is given back as a time some centuries away.
  absl::Time Get() const {
    const int64_t nanos = nanos_.load(std::memory_order_relaxed);
    return nanos == kNobody ? absl::InfinitePast() : absl::FromUnixNanos(nanos);
  }

  bool nobody_waits() const { return Get() == absl::InfinitePast(); }

 private:
  static constexpr int64_t kNobody = std::numeric_limits<int64_t>::min();

  std::atomic<int64_t> nanos_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_LATEST_DEADLINE_H_
