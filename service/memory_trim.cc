#include "service/memory_trim.h"

#include <malloc.h>

#include <algorithm>

#include "absl/time/time.h"
#include "service/operations/process_stats.h"

namespace pcap_gateway {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);
constexpr int64_t kMostGrowth = 16 << 20;

}  // namespace

MemoryTrim::MemoryTrim(EventLoop& loop) : loop_(loop) {
  loop_.Post([this] { Look(); });
}

MemoryTrim::~MemoryTrim() {
  loop_.Run([this] { next_.Cancel(); });
}

void MemoryTrim::Look() {
  const int64_t resident = ResidentBytes();
  if (resident > resident_ + kMostGrowth) {
    malloc_trim(0);
    resident_ = ResidentBytes();
  }
  // What has shrunk by itself may grow again only so far.
  resident_ = std::min(resident_, resident);
  next_ = loop_.After(kInterval, [this] { Look(); });
}

}  // namespace pcap_gateway
