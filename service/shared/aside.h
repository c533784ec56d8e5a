// Aside: work that may take long and cannot be told to stop, such as a look-up by the C library or
// a file on a disk that hangs, on a thread that nobody has to wait for.
//
//   auto aside = Aside<Addresses>::Start([] { return AddressesOf("redis.example.com"); },
//                                        [&](Addresses addresses) { Connect(addresses); });
//   aside->Abandon();   // from then on `done` does not run, and the thread ends by itself
#ifndef PCAP_GATEWAY_SERVICE_SHARED_ASIDE_H_
#define PCAP_GATEWAY_SERVICE_SHARED_ASIDE_H_

#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "service/base/mutex.h"

namespace pcap_gateway {

// Thread-safe.
template <typename Result>
class Aside {
 public:
  using Work = absl::AnyInvocable<Result() &&>;
  using Done = absl::AnyInvocable<void(Result) &&>;

  // `work` and then `done` run on the thread; `done` must not call Abandon. Null: the system
  // gives no thread, and neither runs.
  static std::shared_ptr<Aside> Start(Work work, Done done) {
    std::shared_ptr<Aside> aside(new Aside(std::move(done)));
    try {
      std::thread([aside, work = std::move(work)]() mutable {
        aside->Finish(std::move(work)());
      }).detach();
    } catch (const std::system_error&) {
      return nullptr;
    }
    return aside;
  }

  // Returns once `done` has run, if it is running, or else will not.
  void Abandon() {
    const Lock lock(mutex_);
    done_ = nullptr;
  }

 private:
  explicit Aside(Done done) : done_(std::move(done)) {}

  void Finish(Result result) {
    const Lock lock(mutex_);
    if (done_) std::exchange(done_, nullptr)(std::move(result));
  }

  Mutex mutex_;
  Done done_ ABSL_GUARDED_BY(mutex_);  // empty: it has run, or is not to
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_ASIDE_H_
