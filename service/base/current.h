// Current: what holds now, for many to read while one puts another in its place.
//
//   Current<Policy> policy(first);
//   const std::shared_ptr<const Policy> now = policy.Get();   // stays as it is while it is held
#ifndef PCAP_GATEWAY_SERVICE_BASE_CURRENT_H_
#define PCAP_GATEWAY_SERVICE_BASE_CURRENT_H_

#include <memory>
#include <utility>

#include "service/base/mutex.h"

namespace pcap_gateway {

// Thread-safe; the lock is held for the copy of a pointer.
template <typename T>
class Current {
 public:
  explicit Current(std::shared_ptr<const T> first = nullptr) : value_(std::move(first)) {}

  std::shared_ptr<const T> Get() const {
    const Lock lock(mutex_);
    return value_;
  }

  void Set(std::shared_ptr<const T> value) {
    // What was there may end with the last copy; not under the lock.
    const Lock lock(mutex_);
    value_.swap(value);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_BASE_CURRENT_H_
