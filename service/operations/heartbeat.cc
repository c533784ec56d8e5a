#include "service/operations/heartbeat.h"

#include <utility>

namespace pcap_gateway {

Heartbeat::Heartbeat(std::vector<Ask> everybody) {
  for (Ask& ask : everybody) everybody_.push_back({.ask = std::move(ask)});
}

bool Heartbeat::Beat() {
  bool all = true;
  for (One& one : everybody_) {
    if (!one.answered->exchange(false)) {
      all = false;
      continue;
    }
    one.ask([answered = one.answered] { *answered = true; });
  }
  return all;
}

}  // namespace pcap_gateway
