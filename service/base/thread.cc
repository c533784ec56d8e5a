#include "service/base/thread.h"

#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/mutex.h"

namespace pcap_gateway {

std::thread StartThread(std::function<void()> run) {
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "pcap-gateway: no thread can be started: %s\n", error.what());
    // Not exit: the threads that there are use what that would take down.
    std::_Exit(1);
  }
}

absl::Status CheckThreads(size_t count) {
  Mutex mutex;
  Condition over;
  bool ended = false;
  std::vector<std::thread> threads;
  absl::Status status;
  try {
    threads.reserve(count);
    while (threads.size() < count) {
      threads.emplace_back([&] {
        Lock lock(mutex);
        over.Wait(lock, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return ended; });
      });
    }
  } catch (const std::system_error& error) {
    status = absl::ResourceExhaustedError(absl::StrCat(
        "no thread can be started after ", threads.size(), " of the ", count,
        " that the gateway needs (ulimit -u, or the container's limit of pids): ", error.what()));
  }
  {
    const Lock lock(mutex);
    ended = true;
  }
  over.NotifyAll();
  for (std::thread& thread : threads) thread.join();
  return status;
}

}  // namespace pcap_gateway
