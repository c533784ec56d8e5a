#include "service/net/poll_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>
#include <utility>

namespace pcap_gateway {

bool PollThread::Start(std::function<void(int stop)> run) {
  stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_ < 0) return false;
  try {
    thread_ = std::thread([run = std::move(run), stop = stop_] { run(stop); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void PollThread::Stop() {
  if (thread_.joinable()) {
    eventfd_write(stop_, 1);
    thread_.join();
  }
  if (stop_ >= 0) close(std::exchange(stop_, -1));
}

}  // namespace pcap_gateway
