// Event: something that happens once, and can be waited for.
//
// Not absl::Notification: Debian's Abseil is built without ThreadSanitizer's instrumentation, so
// that would not see what orders the threads.
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_EVENT_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_EVENT_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace pcap_gateway {

// Thread-safe.
class Event {
 public:
  void Happen() {
    const std::lock_guard lock(mutex_);
    happened_ = true;
    // Under the lock: whoever waits may destroy the event as soon as it has the lock again.
    changed_.notify_all();
  }

  bool HasHappened() const {
    const std::lock_guard lock(mutex_);
    return happened_;
  }

  // False: it did not happen within the patience of a test.
  [[nodiscard]] bool Await() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return happened_; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_EVENT_H_
