#include "service/operations/watchdog.h"

#include <algorithm>
#include <utility>

namespace pcap_gateway {

Watchdog::Watchdog(absl::Duration limit, std::function<bool()> is_well, std::function<void()> alive)
    : interval_(limit / 4), is_well_(std::move(is_well)), alive_(std::move(alive)) {}

absl::Duration Watchdog::Left(Time now) const {
  if (interval_ == absl::InfiniteDuration()) return interval_;
  return std::max(absl::FromChrono(next_ - now), absl::ZeroDuration());
}

void Watchdog::Look(Time now) {
  if (interval_ == absl::InfiniteDuration() || now < next_) return;
  next_ = now + absl::ToChronoMicroseconds(interval_);
  if (is_well_()) alive_();
}

}  // namespace pcap_gateway
