#include "client/grpc_thread.h"

#include <system_error>
#include <thread>
#include <utility>

#include "service/base/mutex.h"

namespace pcap_client {
namespace {

thread_local bool is_grpcs = false;

// Threads that do what gRPC's must not. Its end waits for them.
class Helpers {
 public:
  ~Helpers() {
    pcap_gateway::Lock lock(mutex_);
    changed_.Wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ == 0; });
  }

  void Run(std::function<void()> work) {
    {
      const pcap_gateway::Lock lock(mutex_);
      ++running_;
    }
    try {
      std::thread([this, work = std::move(work)] {
        work();
        // Under the lock, as nothing of this is there after it.
        const pcap_gateway::Lock lock(mutex_);
        --running_;
        changed_.NotifyAll();
      }).detach();
    } catch (const std::system_error&) {
      // The system gives no thread. What was to end stays as it is, which is better than an abort.
      const pcap_gateway::Lock lock(mutex_);
      --running_;
    }
  }

 private:
  pcap_gateway::Mutex mutex_;
  pcap_gateway::Condition changed_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
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
