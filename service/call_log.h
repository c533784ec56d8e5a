// CallLog: one line in the log for each call that is over.
//
// Which calls have one: all that failed, all that were not answered from the cache, and of the hits
// a share, evenly spread. Equal failures (of one code and reason) that come in floods have a
// hundred lines at once and ten more each second; how many have none is said in a line of its own,
// within a second. What a caller asks of its own tracing (the sampled flag of `traceparent`) does
// not bring it a line: most callers' libraries set it always, and then callers would decide what is
// written here.
//
// The level is what go-grpc-middleware gives to each code: info for what a caller did itself,
// warn for what may be ours or Cloudflare's, error for what must not be. An answer that is stale
// because Cloudflare failed is a warning.
#ifndef PCAP_GATEWAY_SERVICE_CALL_LOG_H_
#define PCAP_GATEWAY_SERVICE_CALL_LOG_H_

#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/operations/flood_limit.h"
#include "service/operations/log.h"
#include "service/operations/share.h"
#include "service/source/ended_call.h"

namespace pcap_gateway {

// Thread-safe. A hit without a line costs one relaxed addition.
class CallLog final : public CallObserver {
 public:
  // `log` outlives it. `hits`: the share of them that has lines, from 0 to 1.
  CallLog(Log& log, double hits, std::function<absl::Time()> now = absl::Now);

  // Says how many failures have no line that were not told of yet.
  ~CallLog() override;

  void Ended(const EndedCall& call) override;

 private:
  using Kind = std::pair<absl::StatusCode, Reason>;

  bool HasLine(const EndedCall& call);
  void Write(const EndedCall& call);
  std::vector<std::pair<Kind, int64_t>> TakeHeldBack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellHeldBack(const std::vector<std::pair<Kind, int64_t>>& counts);
  void Run();

  Log& log_;
  Share hits_;
  const std::function<absl::Time()> now_;

  Mutex mutex_;
  std::map<Kind, FloodLimit> failures_ ABSL_GUARDED_BY(mutex_);
  bool held_back_ ABSL_GUARDED_BY(mutex_) = false;  // since it was told last
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  Condition changed_;
  std::thread thread_;  // tells what was held back; last, as it uses all the others
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CALL_LOG_H_
