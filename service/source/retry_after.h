// Retry-After (RFC 9110, 10.2.3): not before then.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_RETRY_AFTER_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_RETRY_AFTER_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// The most that is believed: one wrong Retry-After must not silence callers for a day.
inline constexpr absl::Duration kMostRetryAfter = absl::Hours(1);

// What the header says: seconds, or a date relative to `now`; between 0 and kMostRetryAfter.
// nullopt: nothing that can be read.
std::optional<absl::Duration> RetryAfterFrom(absl::string_view header, absl::Time now);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_RETRY_AFTER_H_
