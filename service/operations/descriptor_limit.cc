#include "service/operations/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace pcap_gateway {
namespace {

// 256 connections to Cloudflare, 64 of the admin port, and the rest.
constexpr int64_t kOthers = 512;

// Where the kernel's answer cannot be had: POSIX' old default.
constexpr int64_t kUnknown = 1024;

}  // namespace

int64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kUnknown;
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  const rlim_t now = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
  constexpr auto kMost = static_cast<rlim_t>(std::numeric_limits<int>::max());
  return static_cast<int64_t>(std::min(now, kMost));  // RLIM_INFINITY is the largest
}

int64_t ConnectionsWithin(int64_t descriptors) {
  return std::max<int64_t>(1, std::max(descriptors - kOthers, descriptors / 2));
}

}  // namespace pcap_gateway
