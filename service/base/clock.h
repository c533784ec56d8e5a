// Clock: the time, for the edges that need to ask; everything else is given it as an argument.
#ifndef PCAP_GATEWAY_SERVICE_BASE_CLOCK_H_
#define PCAP_GATEWAY_SERVICE_BASE_CLOCK_H_

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The wall clock as it was at the start, moved on by the steady clock: ages and lifetimes stay
// right when somebody sets the machine's clock.
class SteadyWallClock final : public Clock {
 public:
  absl::Time Now() const override {
    return start_ + absl::FromChrono(std::chrono::steady_clock::now() - steady_start_);
  }

 private:
  const absl::Time start_ = absl::Now();
  const std::chrono::steady_clock::time_point steady_start_ = std::chrono::steady_clock::now();
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_CLOCK_H_
