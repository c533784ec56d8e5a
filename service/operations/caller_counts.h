// CallerCounts: what each caller has had, by the name that its certificate gives it.
//
// Names come from certificates that our authorities signed, and still their number is bounded: what
// one name too many does is counted for kOther.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_CALLER_COUNTS_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_CALLER_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "service/base/counter.h"
#include "service/base/mutex.h"
#include "service/source/ended_call.h"

namespace pcap_gateway {

// Thread-safe. Without certificates a call costs it two relaxed additions.
class CallerCounts final : public CallObserver {
 public:
  // Who showed no certificate.
  static constexpr absl::string_view kNone = "none";
  // Who came when there were kMostNames already, has a name of more than kLongestName bytes, or is
  // called like one of these two.
  static constexpr absl::string_view kOther = "other";
  static constexpr size_t kMostNames = 100;
  static constexpr size_t kLongestName = 256;

  enum class What {
    kCalls,     // that are over
    kUpstream,  // requests sent to Cloudflare on account of these, repeated ones each
    kMistakes,  // of these calls, those that failed by the caller's doing
    kFaults,    // by the gateway's or Cloudflare's (IsFault)
  };

  // `certificates`: whether callers may show them; else their names are not looked for.
  explicit CallerCounts(bool certificates) : certificates_(certificates) {}

  void Ended(const EndedCall& call) override;

  // Each name with its figure: kNone and kOther from the start, the others from their first call
  // on. Names are valid UTF-8; what is not printable ASCII in them is escaped as in C.
  std::vector<std::pair<std::string, double>> All(What what) const;

 private:
  struct Counts {
    Counter calls;
    Counter upstream;
    Counter mistakes;
    Counter faults;
  };

  Counts& Of(const std::string& name);

  const bool certificates_;
  Counts none_;
  Counts other_;
  mutable SharedMutex mutex_;
  // An entry stays where it is for good.
  absl::flat_hash_map<std::string, std::unique_ptr<Counts>> named_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_CALLER_COUNTS_H_
