// Which libcurl the system calls are of.
#ifndef PCAP_GATEWAY_TESTS_TORTURE_LIBCURL_VERSION_H_
#define PCAP_GATEWAY_TESTS_TORTURE_LIBCURL_VERSION_H_

#include <curl/curlver.h>

namespace pcap_gateway {

// Debian 12 has 7.88.1, Debian 13 has 8.14.1. The latter fails a request whose socket it cannot
// make non-blocking, asks no socket for its peer, and is woken by its resolver's thread through an
// eventfd instead of a pair of sockets.
inline constexpr bool kNewLibcurl = LIBCURL_VERSION_NUM >= 0x080e00;

// Debian unstable has 8.23.0, which reads what its resolver's thread wrote.
inline constexpr bool kNewestLibcurl = LIBCURL_VERSION_NUM >= 0x081700;

// From 8.20 on that thread outlives what it worked for: it ends by itself, once it has had nothing
// to do for two seconds.
inline constexpr bool kResolverLingers = LIBCURL_VERSION_NUM >= 0x081400;

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kCountsLeaks = true;
#else
inline constexpr bool kCountsLeaks = false;
#endif

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_TORTURE_LIBCURL_VERSION_H_
