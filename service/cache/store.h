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
#include "service/source/outcome.h"
#include "service/source/query.h"

namespace pcap_gateway {

// An outcome, and until when it is fresh. What is stale stays until it is evicted or replaced.
struct Kept {
  OutcomePtr outcome;
  absl::Time fresh_until;
};

struct StoreStats {
  uint64_t entries = 0;
  uint64_t bytes = 0;      // as counted against the bound
  uint64_t evictions = 0;  // entries dropped to make room
};

// Thread-safe.
class Store {
 public:
  // `most_bytes`: of outcomes and their bookkeeping; positive.
  explicit Store(int64_t most_bytes);
  ~Store();

  std::optional<Kept> Find(const Key& key);

  // Replaces what stood under `key`. False: it alone is larger than a shard may be; then nothing
  // stands there.
  bool Put(const Key& key, Kept kept);

  // Adds up all shards; for metrics.
  StoreStats Stats() const;

  // What one outcome is counted as: its memory with the allocator's and the index's share.
  static size_t CostOf(const Outcome& outcome);

 private:
  class Shard;
  Shard& ShardOf(const Key& key);

  const size_t shard_count_;  // a power of two
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CACHE_STORE_H_
