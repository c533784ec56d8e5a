// Redis refusals: errors by which a Redis says that it is the wrong one, or that it cannot just
// now.
//
// They are no answers to a command. Whoever is told one looks for another Redis, or for this one
// later.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_REFUSALS_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_REFUSALS_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

// By an error's first word. The last stands for any other error to a greeting.
inline constexpr std::array<absl::string_view, 17> kRedisRefusals = {
    "READONLY", "MASTERDOWN", "LOADING",     "NOPERM", "NOAUTH", "WRONGPASS",
    "OOM",      "MISCONF",    "CLUSTERDOWN", "MOVED",  "ASK",    "CROSSSLOT",
    "TRYAGAIN", "BUSY",       "NOREPLICAS",  "DENIED", "other"};
inline constexpr size_t kOtherRefusal = kRedisRefusals.size() - 1;

// How an error begins that says that Redis does not have the script yet: no refusal.
inline constexpr absl::string_view kUnknownScript = "NOSCRIPT";

// The refusal's index in kRedisRefusals; absent: this error is about the command alone.
// `error`: without the protocol's "-". An error that a script met counts as Redis' own.
std::optional<size_t> RedisRefusalIn(absl::string_view error);

// What became of `command`, as the end of "Redis is down: ", and how to mend it. Of `error`, which
// may repeat what was sent, only what cannot be a secret. What stands before a colon is the reason,
// the same whatever the command.
std::string TellRedisRefusal(absl::string_view error, absl::string_view command);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_REFUSALS_H_
