// RecentErrors: the failed calls that an operator would like to see first.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_RECENT_ERRORS_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_RECENT_ERRORS_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/source/clock.h"
#include "service/source/ended_call.h"

namespace pcap_gateway {

struct RecentError {
  absl::Time last;
  uint64_t count = 1;  // of those with this code, reason and message
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string reason;
  std::string message;
  std::string request_id;  // of the last of them
};

// Thread-safe. An answered call costs it a comparison.
class RecentErrors final : public CallObserver {
 public:
  // Keeps the last `most` kinds of errors. The clock outlives it.
  RecentErrors(size_t most, const Clock& clock) : most_(most), clock_(clock) {}

  void Ended(const EndedCall& call) override;

  // The latest first.
  std::vector<RecentError> All() const;

 private:
  const size_t most_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards `errors_`
  std::list<RecentError> errors_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_RECENT_ERRORS_H_
