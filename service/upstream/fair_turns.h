// FairTurns: which of several parties sends next, and which of them has the most waiting.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_FAIR_TURNS_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_FAIR_TURNS_H_

#include <cstdint>
#include <set>

namespace pcap_gateway {

// What a party has; to be changed by its FairTurns alone.
struct Party {
  int64_t in_flight = 0;
  int64_t waiting = 0;
  uint64_t served = 0;  // its last turn, or when it came, by number
};

// P: a Party, which has to stay where it is while it has anything. All take logarithmic time, and
// constant time for a party that has nothing waiting. Not thread-safe.
template <typename P>
class FairTurns {
 public:
  void AddWaiting(P& party, int64_t more) {
    Change(party, [&] {
      // Who was idle begins behind the others: coming and going does not make it the first.
      if (party.waiting == 0 && party.in_flight == 0) party.served = ++turn_;
      party.waiting += more;
    });
  }
  void AddInFlight(P& party, int64_t more) {
    Change(party, [&] {
      party.in_flight += more;
      if (more > 0) party.served = ++turn_;
    });
  }

  bool empty() const { return by_turn_.empty(); }

  // Of those with something waiting the one with the fewest in flight, which is max-min fair; of
  // equal ones, the one whose turn is longest ago. Not empty.
  P& Next() const { return **by_turn_.begin(); }

  // The one with the most waiting. Not empty.
  P& Longest() const { return **by_waiting_.rbegin(); }

 private:
  struct ByTurn {
    bool operator()(const P* a, const P* b) const {
      if (a->in_flight != b->in_flight) return a->in_flight < b->in_flight;
      return a->served != b->served ? a->served < b->served : a < b;
    }
  };
  struct ByWaiting {
    bool operator()(const P* a, const P* b) const {
      return a->waiting != b->waiting ? a->waiting < b->waiting : a < b;
    }
  };

  template <typename F>
  void Change(P& party, F change) {
    if (party.waiting > 0) {
      by_turn_.erase(&party);
      by_waiting_.erase(&party);
    }
    change();
    if (party.waiting > 0) {
      by_turn_.insert(&party);
      by_waiting_.insert(&party);
    }
  }

  uint64_t turn_ = 0;
  std::set<P*, ByTurn> by_turn_;
  std::set<P*, ByWaiting> by_waiting_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_FAIR_TURNS_H_
