#include "service/upstream/circuit_breaker.h"

#include <algorithm>

namespace pcap_gateway {
namespace {

// How long to wait for the answer to a probe that is under way: nobody knows.
constexpr absl::Duration kProbeTakes = absl::Seconds(1);

}  // namespace

std::optional<absl::Duration> CircuitBreaker::Ask(absl::Time now) {
  if (times_opened_ == 0) return std::nullopt;
  if (now < open_until_) return open_until_ - now;
  if (probing_) return kProbeTakes;
  probing_ = true;
  return std::nullopt;
}

void CircuitBreaker::Succeeded() {
  failures_ = 0;
  times_opened_ = 0;
  probing_ = false;
}

void CircuitBreaker::Failed(absl::Time now) {
  ++failures_;
  if (times_opened_ == 0) {
    if (failures_ >= policy_.failures_to_open) Open(now);
  } else if (probing_) {
    // Requests that were under way when it opened fail as well; they are no probes, but neither is
    // there a way to tell them from one, and to be late by their number does no harm.
    Open(now);
  }
}

void CircuitBreaker::Abandoned() { probing_ = false; }

void CircuitBreaker::Open(absl::Time now) {
  const double doubled = static_cast<double>(int64_t{1} << std::min(times_opened_, 30));
  open_until_ = now + std::min(policy_.open_for * doubled, policy_.open_for_at_most);
  ++times_opened_;
  probing_ = false;
}

CircuitBreaker::State CircuitBreaker::state() const {
  if (times_opened_ == 0) return State::kClosed;
  return probing_ ? State::kHalfOpen : State::kOpen;
}

}  // namespace pcap_gateway
