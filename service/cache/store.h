// Store: kept outcomes by key, bounded in bytes.
//
// Split into shards, each with its own lock, so that hits on different keys rarely meet. What goes
// when a shard is full is decided by SIEVE (Zhang et al., NSDI 2024): entries stand in a queue by
// age, a hit only sets a mark, and a hand walking from old to new evicts the first entry without
// one. A hit moves nothing, and a scan of ids asked once cannot push out those that are asked
// again.
#ifndef PCAP_GATEWAY_SERVICE_CACHE_STORE_H_
#define PCAP_GATEWAY_SERVICE_CACHE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "service/cache/standing.h"
#include "service/source/outcome.h"
#include "service/source/query.h"

namespace pcap_gateway {

// An outcome, and until when it is fresh. What is stale stays until it is evicted, replaced or
// erased.
//
// The store keeps times in whole nanoseconds, rounded down, as far as 64 bits go: what is before
// September 1677 or after April 2262 it takes for InfinitePast or InfiniteFuture.
struct Kept {
  OutcomePtr outcome;  // not null
  absl::Time fresh_until;
  // From then on a hit is to start a refresh. InfiniteFuture: never.
  absl::Time refresh_at = absl::InfiniteFuture();
};

struct StoreStats {
  uint64_t entries = 0;
  uint64_t bytes = 0;      // as counted against the bound
  uint64_t evictions = 0;  // entries dropped to make room
};

// Thread-safe. A call takes one short lock of one shard (Erase and Stats: of each in turn); no
// outcome is destroyed under it.
class Store {
 public:
  // `most_bytes`: of outcomes and their bookkeeping; positive.
  explicit Store(int64_t most_bytes);
  ~Store();

  // Marks the entry as used. What its standing says is void is not found, here and by the others.
  std::optional<Kept> Find(const Key& key);

  // Looks without a trace.
  std::optional<Kept> Peek(const Key& key) const;

  // True: the refresh is due, and this caller, and no other, is to start it. The next one may not
  // before an eighth of what is left of the entry's freshness, or a second if that is more: a
  // refresh that fails is not tried again by each hit.
  bool ClaimRefresh(const Key& key, absl::Time now);

  // Replaces what stood under `key`. False: it alone is larger than a shard may be; then nothing
  // stands there. `standing`: of the key's credential and account.
  bool Put(const Key& key, Kept kept, StandingPtr standing);

  // Removes what stands for `subject`, under whatever credential. Walks through all entries, a
  // shard at a time: for the rare writes.
  void Erase(const Subject& subject);

  // Adds up all shards; for metrics.
  StoreStats Stats() const;

  // What one outcome is counted as, in bytes: its memory with the entry around it, the allocator's
  // and the index's share. Meant for glibc's malloc; within 15 % of what the process grows by.
  static size_t CostOf(const Outcome& outcome);

 private:
  class Shard;
  Shard& ShardOf(size_t hash) const;

  const size_t shard_count_;  // a power of two
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CACHE_STORE_H_
