#include "service/operations/status_history.h"

#include <utility>

#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace pcap_gateway {

StatusHistory::~StatusHistory() {
  {
    const Lock lock(mutex_);
    ending_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void StatusHistory::Add(StatusFigures figures) {
  const Lock lock(mutex_);
  figures_.push_back(std::move(figures));
  if (figures_.size() > kMost) figures_.pop_front();
}

void StatusHistory::Watch(std::function<StatusFigures()> take) {
  thread_ = StartThread([this, take = std::move(take)] {
    Lock lock(mutex_);
    do {
      lock.Unlock();
      Add(take());
      lock.Relock();
    } while (!wake_.WaitFor(lock, absl::ToChronoMilliseconds(kInterval),
                            [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_; }));
  });
}

std::vector<StatusFigures> StatusHistory::All() const {
  const Lock lock(mutex_);
  return {figures_.begin(), figures_.end()};
}

}  // namespace pcap_gateway
