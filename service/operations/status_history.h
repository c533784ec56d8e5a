// StatusHistory: figures of the last quarter of an hour, taken every five seconds.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_HISTORY_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_HISTORY_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/operations/status_report.h"

namespace pcap_gateway {

// Thread-safe.
class StatusHistory {
 public:
  static constexpr size_t kMost = 180;
  static constexpr absl::Duration kInterval = absl::Seconds(5);

  StatusHistory() = default;
  ~StatusHistory();

  // Keeps the last kMost.
  void Add(StatusFigures figures);

  // Adds what `take` gives, now and each kInterval, by a thread of its own. Once; what `take` looks
  // at outlives the object.
  void Watch(std::function<StatusFigures()> take);

  // The oldest first.
  std::vector<StatusFigures> All() const;

 private:
  mutable Mutex mutex_;
  std::deque<StatusFigures> figures_ ABSL_GUARDED_BY(mutex_);
  Condition wake_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_HISTORY_H_
