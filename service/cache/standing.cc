#include "service/cache/standing.h"

#include <algorithm>
#include <utility>

namespace pcap_gateway {
namespace {

constexpr size_t kFewest = 1024;  // not worth a sweep

}  // namespace

absl::Time Standing::since() const {
  const int64_t nanos = Nanos();
  return nanos == std::numeric_limits<int64_t>::min() ? absl::InfinitePast()
                                                      : absl::FromUnixNanos(nanos);
}

StandingPtr Standings::Of(const Partition& partition, const Id& account) {
  if (standings_.size() >= std::max(sweep_at_, kFewest)) Sweep();
  std::weak_ptr<Standing>& known = standings_[{partition, account}];
  if (StandingPtr standing = known.lock()) return standing;
  std::weak_ptr<LatestTime>& known_credential = credentials_[partition];
  std::shared_ptr<LatestTime> credential = known_credential.lock();
  if (credential == nullptr) {
    credential = std::make_shared<LatestTime>();
    known_credential = credential;
  }
  auto standing = std::make_shared<Standing>(partition, account, std::move(credential));
  known = standing;
  return standing;
}

// At least as many come between two of them as one looks through.
void Standings::Sweep() {
  absl::erase_if(standings_, [](const auto& known) { return known.second.expired(); });
  absl::erase_if(credentials_, [](const auto& known) { return known.second.expired(); });
  sweep_at_ = 2 * standings_.size();
}

}  // namespace pcap_gateway
