#include "service/operations/status_history.h"

#include <utility>

#include "service/base/thread.h"

namespace pcap_gateway {

StatusHistory::~StatusHistory() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void StatusHistory::Add(StatusFigures figures) {
  const std::lock_guard lock(mutex_);
  figures_.push_back(std::move(figures));
  if (figures_.size() > kMost) figures_.pop_front();
}

void StatusHistory::Watch(std::function<StatusFigures()> take) {
  thread_ = StartThread([this, take = std::move(take)] {
    std::unique_lock lock(mutex_);
    do {
      lock.unlock();
      Add(take());
      lock.lock();
    } while (
        !wake_.wait_for(lock, absl::ToChronoMilliseconds(kInterval), [this] { return ending_; }));
  });
}

std::vector<StatusFigures> StatusHistory::All() const {
  const std::lock_guard lock(mutex_);
  return {figures_.begin(), figures_.end()};
}

}  // namespace pcap_gateway
