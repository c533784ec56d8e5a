// Standing: since when what is kept for a credential counts.
//
// Whom Cloudflare rejects (401) is given nothing any more that was kept for it, and whom it denies
// an account (403) nothing of that account. Nothing is looked for and erased: what was asked for
// before the latest such word is void from then on, wherever it is met, and what is asked for after
// it counts at once.
#ifndef PCAP_GATEWAY_SERVICE_CACHE_STANDING_H_
#define PCAP_GATEWAY_SERVICE_CACHE_STANDING_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "service/source/credential.h"
#include "service/source/error.h"
#include "service/source/id.h"

namespace pcap_gateway {

// A time that only ever becomes later, to the nanosecond. Thread-safe.
class LatestTime {
 public:
  void Raise(absl::Time time) {
    const int64_t later = absl::ToUnixNanos(time);
    int64_t nanos = nanos_.load(std::memory_order_relaxed);
    while (nanos < later && !nanos_.compare_exchange_weak(nanos, later)) {
    }
  }

  // Since 1970; the least number: InfinitePast, which it begins with.
  int64_t nanos() const { return nanos_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> nanos_{std::numeric_limits<int64_t>::min()};
};

// Of one credential for one account. Thread-safe.
class Standing {
 public:
  // `credential`: shared by its standings for all accounts.
  Standing(const Partition& partition, const Id& account, std::shared_ptr<LatestTime> credential)
      : partition_(partition), account_(account), credential_(std::move(credential)) {}

  const Partition& partition() const { return partition_; }
  const Id& account() const { return account_; }

  // At `now`. Everything: for all accounts.
  void Deny(Denies what, absl::Time now) {
    if (what == Denies::kEverything) credential_->Raise(now);
    if (what == Denies::kAccount) here_.Raise(now);
  }

  // What was asked for before then is void. InfinitePast: nothing is.
  absl::Time since() const;

  // Whether what was asked for at `as_of` counts.
  bool Counts(absl::Time as_of) const {
    const int64_t nanos = Nanos();
    return nanos == std::numeric_limits<int64_t>::min() || absl::ToUnixNanos(as_of) >= nanos;
  }

 private:
  int64_t Nanos() const { return std::max(credential_->nanos(), here_.nanos()); }

  const Partition partition_;
  const Id account_;
  const std::shared_ptr<LatestTime> credential_;
  LatestTime here_;
};

using StandingPtr = std::shared_ptr<Standing>;

// Finds each credential's. One is there for as long as somebody holds it: what is kept, or asked
// for just now. So there are no more of them than that, and none that matters is ever dropped to
// make room, however many strangers are rejected.
//
// Not thread-safe.
class Standings {
 public:
  // Not null.
  StandingPtr Of(const Partition& partition, const Id& account);

  // With those that nobody holds any more.
  size_t size() const { return standings_.size(); }

 private:
  void Sweep();

  absl::flat_hash_map<Partition, std::weak_ptr<LatestTime>> credentials_;
  absl::flat_hash_map<std::pair<Partition, Id>, std::weak_ptr<Standing>> standings_;
  size_t sweep_at_ = 0;  // that many are looked through for ones to drop
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CACHE_STANDING_H_
