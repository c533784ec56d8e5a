#include "client/grpc_thread.h"

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace pcap_client {
namespace {

thread_local bool is_grpcs = false;

// Threads that do what gRPC's must not. Its end waits for them.
class Helpers {
 public:
  ~Helpers() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return running_ == 0; });
  }

  void Run(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    try {
      std::thread([this, work = std::move(work)] {
        work();
        // Under the lock, as nothing of this is there after it.
        const std::lock_guard lock(mutex_);
        --running_;
        changed_.notify_all();
      }).detach();
    } catch (const std::system_error&) {
      // The system gives no thread. What was to end stays as it is, which is better than an abort.
      const std::lock_guard lock(mutex_);
      --running_;
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int running_ = 0;  // guarded by mutex_
};

}  // namespace

GrpcThread::GrpcThread() : was_(std::exchange(is_grpcs, true)) {}
GrpcThread::~GrpcThread() { is_grpcs = was_; }

void RunOffGrpcThreads(std::function<void()> work) {
  if (!is_grpcs) return work();
  static Helpers helpers;
  helpers.Run(std::move(work));
}

}  // namespace pcap_client
