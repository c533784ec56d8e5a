// Sealed value: how a value stands in Redis, so that only we can have made it, for that name.
//
//   mark (a byte, which scripts look at), seal (an HMAC over name and all of the value), body
#ifndef PCAP_GATEWAY_SERVICE_SHARED_SEALED_VALUE_H_
#define PCAP_GATEWAY_SERVICE_SHARED_SEALED_VALUE_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "service/source/credential.h"

namespace pcap_gateway {

// `purpose`: of RedisMac; a value of one is none of another.
std::string SealedValue(char mark, absl::string_view body, absl::string_view name,
                        absl::string_view purpose, const Credential& credential);

// The body, in `value`. Absent: this is not what SealedValue made of the same.
std::optional<absl::string_view> OpenedValue(absl::string_view value, absl::string_view name,
                                             absl::string_view purpose,
                                             const Credential& credential);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_SEALED_VALUE_H_
