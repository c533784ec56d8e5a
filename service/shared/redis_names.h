// Redis names: what our keys in Redis are called, and what stands in for names there.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_NAMES_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_NAMES_H_

#include <string>

#include "absl/strings/string_view.h"
#include "service/source/credential.h"

namespace pcap_gateway {

// 128 bits of an HMAC under the credential's secret. What was made for one `purpose` is of no use
// for another.
std::string RedisMac(const Credential& credential, absl::string_view purpose,
                     absl::string_view text);

// What all keys begin with.
inline constexpr absl::string_view kRedisPrefix = "pcap-gateway:v1:";

// A key for `what`, of which it shows nothing: pcap-gateway:v1:{<32 hexadecimal digits>}:<32 more>.
// `what` belongs to the credential alone, whatever other credentials call theirs.
//
// The first digits stand for the credential: by the braces all of its keys lie in one slot of a
// cluster, as those must that one script touches.
std::string RedisName(const Credential& credential, absl::string_view what);

// A key for `what`, the same whatever the credential: pcap-gateway:v1:{<32 hexadecimal digits>}.
// Of `what` it shows nothing to those who cannot guess it.
std::string RedisNameForAll(absl::string_view what);

// Compares in time that does not tell where they differ.
bool SameMac(absl::string_view a, absl::string_view b);

// 64 random bits as hexadecimal digits.
std::string RandomName();

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_NAMES_H_
