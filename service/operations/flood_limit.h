// FloodLimit: of events that come in floods, lets the first ones and then a few each second
// through, and counts the others.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_FLOOD_LIMIT_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_FLOOD_LIMIT_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"

namespace pcap_gateway {

// Not thread-safe.
class FloodLimit {
 public:
  // A token bucket: so many at once, and then so many each second.
  static constexpr double kAtOnce = 100;
  static constexpr double kEachSecond = 10;

  // Whether the event of that moment is let through. A clock that goes back lets none through
  // earlier.
  bool Take(absl::Time now) {
    const double passed = std::max(0.0, absl::ToDoubleSeconds(now - last_));
    left_ = std::min(kAtOnce, left_ + passed * kEachSecond);
    last_ = std::max(last_, now);
    if (left_ < 1) {
      ++held_back_;
      return false;
    }
    left_ -= 1;
    return true;
  }

  // How many were not let through since this was asked last.
  int64_t TakeHeldBack() { return std::exchange(held_back_, 0); }

 private:
  absl::Time last_ = absl::UnixEpoch();
  double left_ = kAtOnce;
  int64_t held_back_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_FLOOD_LIMIT_H_
