// Option values: what an operator writes, checked and turned into what the program works with.
//
// A failed status says what is wanted, as the end of a sentence that begins with the option's name.
// It never repeats the text, because a password can stand in a URL.
#ifndef PCAP_GATEWAY_SERVICE_OPTION_VALUES_H_
#define PCAP_GATEWAY_SERVICE_OPTION_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// 0 or more bytes: `1048576`, `64MiB` or `64M` (of 1024), `64MB` (of 1000); K, M, G, T in either
// case.
absl::StatusOr<int64_t> BytesFrom(absl::string_view text);

// A whole number from 0 to `most`.
absl::StatusOr<int64_t> CountFrom(absl::string_view text, int64_t most);

// A decimal number from 0 to 1: `0.01`.
absl::StatusOr<double> FractionFrom(absl::string_view text);

// From `least` to `most`, with a unit: `30s`, `250ms`, `1h30m`.
absl::StatusOr<absl::Duration> DurationFrom(absl::string_view text, absl::Duration least,
                                            absl::Duration most = absl::Hours(24));

// HOST:PORT with a port from 0 to 65535; an IPv6 host in brackets.
absl::Status CheckHostAndPort(absl::string_view text);

// Whether only this machine can connect to HOST:PORT, which is well-formed.
bool ListensOnLoopback(absl::string_view text);

// An API's base URL, without the slashes at its end: https, no user name, query or fragment. Plain
// http is for this machine alone unless `allow_http`, because it carries the credential in clear.
absl::StatusOr<std::string> BaseUrlFrom(absl::string_view text, bool allow_http);

// A collector's URL, without the slashes at its end: http or https, no user name, query or
// fragment.
absl::StatusOr<std::string> CollectorUrlFrom(absl::string_view text);

// SCHEME://[USER:PASSWORD@]HOST[:PORT], with a scheme that libcurl knows for proxies.
absl::Status CheckProxyUrl(absl::string_view text);

// What the file of an API token may hold, with room for white space.
inline constexpr size_t kMostTokenFileBytes = 64 << 10;

// The bytes of the file at `path`. Fails where it cannot be read, or holds more than `most` bytes.
absl::StatusOr<std::string> ContentOf(const std::string& path, size_t most);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPTION_VALUES_H_
