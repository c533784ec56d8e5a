// Recent: a map that forgets what was not asked for in a long time, so that it stays bounded.
//
//   Recent<std::string, absl::Time> recent(1000);
//   recent["name"] = clock.Now();
//   if (const absl::Time* time = recent.Find("name")) Use(*time);
#ifndef PCAP_GATEWAY_SERVICE_BASE_RECENT_H_
#define PCAP_GATEWAY_SERVICE_BASE_RECENT_H_

#include <cstddef>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace pcap_gateway {

// One thread.
template <typename Key, typename Value>
class Recent {
 public:
  // Keeps at least the latest `fewest` keys that operator[] was called with, and at most twice as
  // many.
  // Positive.
  explicit Recent(size_t fewest) : fewest_(fewest) {}

  // The value, made if it is not there. The reference is good until the next call.
  Value& operator[](const Key& key) {
    const auto found = newer_.find(key);
    if (found != newer_.end()) return found->second;
    Value value{};
    if (const auto old = older_.find(key); old != older_.end()) value = std::move(old->second);
    if (newer_.size() >= fewest_) {
      older_ = std::move(newer_);
      newer_.clear();
    }
    return newer_[key] = std::move(value);
  }

  // Null: it is not there. Good until the next call of operator[].
  const Value* Find(const Key& key) const {
    for (const Map* map : {&newer_, &older_}) {
      if (const auto found = map->find(key); found != map->end()) return &found->second;
    }
    return nullptr;
  }

 private:
  using Map = absl::flat_hash_map<Key, Value>;

  const size_t fewest_;
  Map newer_;
  Map older_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_RECENT_H_
