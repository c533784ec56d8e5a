// RejectedCredentials: callers' credentials that Cloudflare has just rejected, and what it said.
//
// Whoever tries out tokens, or goes on with one that was revoked, spends the address' requests for
// nothing. So the answer is given again, for a while, without asking. A credential that Cloudflare
// has accepted is asked with once more first: a single rejection may be a slip.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_REJECTED_CREDENTIALS_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_REJECTED_CREDENTIALS_H_

#include <cstddef>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "service/source/credential.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

// Not thread-safe. Times given to it never go back.
class RejectedCredentials {
 public:
  // How long a credential that Cloudflare accepts again is rejected here at most.
  static constexpr absl::Duration kHowLong = absl::Seconds(30);
  // Of more, the oldest rejected ones are forgotten, and all accepted ones.
  static constexpr size_t kMost = 10'000;

  // What Cloudflare said of the credential lately; null: nothing.
  OutcomePtr Find(const Partition& credential, absl::Time now) {
    Forget(now);
    const auto found = outcomes_.find(credential);
    return found == outcomes_.end() ? nullptr : found->second;
  }

  // Notes that Cloudflare accepts the credential.
  void Accepted(const Partition& credential) {
    if (accepted_.size() >= kMost) accepted_.clear();
    accepted_.insert(credential);
  }

  // Notes the outcome, which rejects the credential as a whole.
  void Rejected(const Partition& credential, const OutcomePtr& outcome, absl::Time now) {
    Forget(now);
    if (accepted_.erase(credential) > 0) return;
    if (!outcomes_.emplace(credential, outcome).second) return;
    by_time_.emplace_back(now, credential);
    if (by_time_.size() > kMost) ForgetOldest();
  }

 private:
  void Forget(absl::Time now) {
    while (!by_time_.empty() && by_time_.front().first <= now - kHowLong) ForgetOldest();
  }
  void ForgetOldest() {
    outcomes_.erase(by_time_.front().second);
    by_time_.pop_front();
  }

  absl::flat_hash_map<Partition, OutcomePtr> outcomes_;
  std::deque<std::pair<absl::Time, Partition>> by_time_;  // the oldest first
  absl::flat_hash_set<Partition> accepted_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_REJECTED_CREDENTIALS_H_
