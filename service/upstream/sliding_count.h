// SlidingCount: how many events lie within a sliding window, counted in slots.
//
//   SlidingCount count;
//   count.Add(slot);                        // now's slot
//   count.Forget(slot - slots_of_window);   // what is over
//   count.total();
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_SLIDING_COUNT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_SLIDING_COUNT_H_

#include <cstdint>
#include <deque>

namespace pcap_gateway {

// Takes memory for slots with events alone. Not thread-safe.
class SlidingCount {
 public:
  struct Slot {
    int64_t number;
    int64_t count;  // positive
  };

  // `slot` is no earlier than that of any Add before; `count` is positive.
  void Add(int64_t slot, int64_t count = 1) {
    if (slots_.empty() || slots_.back().number < slot) slots_.push_back({slot, 0});
    slots_.back().count += count;
    total_ += count;
  }

  // Takes out all slots before `slot`.
  void Forget(int64_t slot) {
    while (!slots_.empty() && slots_.front().number < slot) {
      total_ -= slots_.front().count;
      slots_.pop_front();
    }
  }

  int64_t total() const { return total_; }
  const std::deque<Slot>& slots() const { return slots_; }  // ascending

 private:
  std::deque<Slot> slots_;
  int64_t total_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_SLIDING_COUNT_H_
