// UsualTime: how long an answer usually takes, and from when on one is overdue.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_USUAL_TIME_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_USUAL_TIME_H_

#include <algorithm>
#include <optional>

#include "absl/time/time.h"

namespace pcap_gateway {

// Not thread-safe.
class UsualTime {
 public:
  // An answer with content came after so long.
  void Add(absl::Duration took) {
    if (!usual_.has_value()) {
      usual_ = took;
    } else {
      // Settles where one answer in twenty takes longer: ln(1.5) / 20 = -ln(0.98). By factors, so
      // that a single slow one is soon forgotten.
      *usual_ *= took > *usual_ ? 1.5 : 0.98;
    }
    // Neither away from zero by factors, nor further up than matters.
    usual_ = std::clamp(*usual_, absl::Milliseconds(1), kLongest);
  }

  // Whether something is amiss with a request that has had no answer for so long.
  bool IsOverdue(absl::Duration out) const { return out >= Overdue(); }

  // A few times the usual; while nothing is known, what a slow answer of Cloudflare's takes.
  absl::Duration Overdue() const {
    return usual_.has_value() ? std::clamp(*usual_ * 4, kShortest, kLongest) : kUnknown;
  }

 private:
  // A lost packet that is sent again, or a loop that was busy, is no sign.
  static constexpr absl::Duration kShortest = absl::Milliseconds(250);
  // As long as the transport itself waits for an answer's first byte.
  static constexpr absl::Duration kLongest = absl::Seconds(10);
  static constexpr absl::Duration kUnknown = absl::Seconds(1);

  std::optional<absl::Duration> usual_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_USUAL_TIME_H_
