// RecentErrors: the failed calls that an operator would like to see first.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_RECENT_ERRORS_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_RECENT_ERRORS_H_

#include <cstdint>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/operations/log_line.h"
#include "service/source/ended_call.h"

namespace pcap_gateway {

// Whether a call that failed so is to blame on the gateway, Cloudflare or what lies between; else
// its caller has to mend something, or to wait.
bool IsFault(absl::StatusCode code);

// Failures of one code and reason.
struct RecentError {
  absl::Time last;
  uint64_t count = 1;
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string reason;
  std::string message;     // of the last of them
  std::string detail;      // of the last of them, for operators alone; mostly none
  std::string request_id;  // of the last of them that had one

  bool is_fault() const { return IsFault(code); }
};

// Thread-safe. An answered call costs it a comparison. There are as many kinds as there are codes
// and reasons, so nothing is ever pushed out: a caller that makes one mistake in a thousand ways
// has one row.
class RecentErrors final : public CallObserver {
 public:
  // `redact` takes secrets out of what callers wrote. The clock outlives it.
  RecentErrors(Redact redact, const Clock& clock) : redact_(std::move(redact)), clock_(clock) {}

  void Ended(const EndedCall& call) override;

  // The latest first.
  std::vector<RecentError> All() const;

 private:
  const Redact redact_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::list<RecentError> errors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_RECENT_ERRORS_H_
