// NameLookup: the addresses of a host name, looked up by the C library on a thread that nobody has
// to wait for. The library cannot be told to stop, and DNS may take half a minute.
//
//   lookup = NameLookup::Start("redis.example.com", [](std::vector<std::string> addresses) { … });
//   lookup->Abandon();   // from then on `done` does not run, and the thread ends by itself
#ifndef PCAP_GATEWAY_SERVICE_SHARED_NAME_LOOKUP_H_
#define PCAP_GATEWAY_SERVICE_SHARED_NAME_LOOKUP_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace pcap_gateway {

// Thread-safe.
class NameLookup {
 public:
  // Numeric addresses, in the order in which they are to be tried; none: the name has none.
  using Done = absl::AnyInvocable<void(std::vector<std::string> addresses) &&>;

  // `done` runs on the look-up's thread; it must not call Abandon. Null: there is no thread to be
  // had, and `done` does not run.
  static std::shared_ptr<NameLookup> Start(std::string host, Done done);

  // Returns once `done` has run, if it is running, or else will not.
  void Abandon();

 private:
  explicit NameLookup(Done done) : done_(std::move(done)) {}

  void Finish(std::vector<std::string> addresses);

  std::mutex mutex_;
  Done done_;  // guarded by mutex_; empty: it has run, or is not to
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_NAME_LOOKUP_H_
