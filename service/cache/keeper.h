// Keeper: decides what becomes of an outcome in the store: for how long it is kept, and what it
// does to what stands there.
//
// A capture that was seen to be final stays so: if Cloudflare says later that it still moves (one
// of its replicas lags), that answer counts as a confirmation of the final one.
//
// A list says something of each of its captures, which is kept as an answer about that capture
// where it is the younger word. And a list that still has as moving what is known to be final is
// put right, whichever of the two came first.
#ifndef PCAP_GATEWAY_SERVICE_CACHE_KEEPER_H_
#define PCAP_GATEWAY_SERVICE_CACHE_KEEPER_H_

#include <vector>

#include "absl/time/time.h"
#include "service/base/counter.h"
#include "service/cache/standing.h"
#include "service/cache/store.h"
#include "service/freshness/freshness.h"
#include "service/source/endpoint.h"
#include "service/source/outcome.h"
#include "service/source/query.h"

namespace pcap_gateway {

// Whether a reply came from a cache behind this one, fresh or not.
bool IsFromACache(const Reply& reply);

// One thread at a time.
class Keeper {
 public:
  // `others_write`: see CacheOptions. `confirmed` counts answers that fell behind a final one.
  // Store and counter outlive it.
  Keeper(Store& store, const FreshnessPolicy& freshness, bool others_write, Counter& confirmed)
      : store_(store), freshness_(freshness), others_write_(others_write), confirmed_(confirmed) {}

  // How long the reply's outcome is kept, from its `as_of` on; zero or less: not at all.
  absl::Duration LifetimeOf(const Key& key, const Reply& reply) const;

  // What another replica's write can outdate may be kept by those behind this one alone.
  bool MayKeep(const Outcome& outcome) const;

  // Stores the outcome if it is to be kept, for `lifetime` from its `as_of` on. `outcome` is then
  // what counts from now on, which may be what stood there. Returns `stored` and `ttl`.
  CacheStatus Keep(const Key& key, const StandingPtr& standing, OutcomePtr& outcome,
                   absl::Duration lifetime, absl::Time now);

  // Keeps what a list, which `key` names, says of each capture, except where it is `outdated`. What
  // is known to be final stays so: in `list`, too, which is replaced then. `parts`: the list's.
  void KeepParts(const Endpoint& endpoint, const Key& key, const StandingPtr& standing,
                 bool outdated, std::vector<Part>& parts, OutcomePtr& list, absl::Time now);

  // The capture that `key` names, of `endpoint`, ended as `outcome` says: if that is final, has the
  // kept list say so.
  void PutListRight(const Endpoint& endpoint, const Key& key, const StandingPtr& standing,
                    const Outcome& outcome);

 private:
  Store& store_;
  const FreshnessPolicy freshness_;
  const bool others_write_;
  Counter& confirmed_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CACHE_KEEPER_H_
