// Share: says yes to a fixed share of questions, evenly spread.
//
//   Share share(0.01);
//   if (share.Take()) WriteLine();   // each hundredth time
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_SHARE_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_SHARE_H_

#include <atomic>
#include <cstdint>

namespace pcap_gateway {

// Thread-safe. For hot paths: one relaxed addition.
class Share {
 public:
  // `fraction`: from 0 (never) to 1 (each time).
  explicit Share(double fraction) : always_(fraction >= 1), step_(StepOf(fraction)) {}

  // Of any n questions in a row, n times the fraction are true, give or take one.
  bool Take() {
    if (always_) return true;
    if (step_ == 0) return false;
    // The sum of the fractions, in units of 2^-64; each time that it passes a whole number it
    // overflows.
    const uint64_t before = sum_.fetch_add(step_, std::memory_order_relaxed);
    return before + step_ < before;
  }

 private:
  static uint64_t StepOf(double fraction) {
    if (!(fraction > 0) || fraction >= 1) return 0;
    // Up by as much as a double may have been rounded down by: a hundred hundredths are to be one.
    constexpr uint64_t kRounding = 2048;
    return static_cast<uint64_t>(fraction * 0x1p64) + kRounding;
  }

  const bool always_;
  const uint64_t step_;
  std::atomic<uint64_t> sum_{0};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_SHARE_H_
