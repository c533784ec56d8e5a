// Watchdog: tells the service manager that all is well, as long as it is.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_WATCHDOG_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_WATCHDOG_H_

#include <chrono>
#include <functional>

#include "absl/time/time.h"

namespace pcap_gateway {

// One thread's.
class Watchdog {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `limit`: the silence after which the manager acts; infinite: nobody listens. Each quarter of it
  // `is_well` is asked, and `alive` told if it is: so one that is late once is not yet dead.
  Watchdog(absl::Duration limit, std::function<bool()> is_well, std::function<void()> alive);

  // How long nothing is to be done; infinite where nobody listens. May be 0.
  absl::Duration Left(Time now) const;

  // Asks and tells, if it is time.
  void Look(Time now);

 private:
  const absl::Duration interval_;
  const std::function<bool()> is_well_;
  const std::function<void()> alive_;
  Time next_;  // the first look is due at once
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_WATCHDOG_H_
