#include "service/cache/store.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"

namespace pcap_gateway {
namespace {

// Small stores have few shards: an entry can be no larger than its shard.
constexpr int64_t kBytesPerShard = 4 << 20;
constexpr int64_t kMostShards = 16;

size_t ShardCountFor(int64_t most_bytes) {
  size_t count = 1;
  while (static_cast<int64_t>(count) < kMostShards &&
         static_cast<int64_t>(count) * 2 * kBytesPerShard <= most_bytes) {
    count *= 2;
  }
  return count;
}

struct Entry {
  Key key;
  bool marked = false;  // asked for since the hand last passed
  Kept kept;
  size_t cost = 0;
  Entry* newer = nullptr;
  Entry* older = nullptr;
};

}  // namespace

class Store::Shard {
 public:
  Shard() = default;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  void SetMostBytes(size_t most_bytes) { most_bytes_ = most_bytes; }

  std::optional<Kept> Find(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    found->second->marked = true;
    return found->second->kept;
  }

  bool Put(const Key& key, Kept kept) {
    const size_t cost = CostOf(*kept.outcome);
    Kept dropped;  // destroyed after the lock is gone
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (cost > most_bytes_) {
      if (found != entries_.end()) Remove(*found->second);
      return false;
    }
    if (found != entries_.end()) {
      Entry& entry = *found->second;
      bytes_ += cost - entry.cost;
      entry.cost = cost;
      dropped = std::exchange(entry.kept, std::move(kept));
      MakeRoom(&entry);
      return true;
    }
    bytes_ += cost;
    MakeRoom(nullptr);
    auto entry = std::make_unique<Entry>();
    entry->key = key;
    entry->kept = std::move(kept);
    entry->cost = cost;
    LinkNewest(*entry);
    entries_.emplace(key, std::move(entry));
    return true;
  }

  void AddTo(StoreStats& stats) const {
    const std::lock_guard lock(mutex_);
    stats.entries += entries_.size();
    stats.bytes += bytes_;
    stats.evictions += evictions_;
  }

 private:
  // The hand's walk. `spared` stays: it is what room is made for.
  void MakeRoom(const Entry* spared) {
    while (bytes_ > most_bytes_ && oldest_ != nullptr) {
      Entry* candidate = hand_ != nullptr ? hand_ : oldest_;
      hand_ = candidate->newer;
      if (candidate == spared) {
        if (oldest_ == newest_) return;
        continue;
      }
      if (std::exchange(candidate->marked, false)) continue;
      Remove(*candidate);
      ++evictions_;
    }
  }

  void LinkNewest(Entry& entry) {
    entry.older = newest_;
    if (newest_ != nullptr) newest_->newer = &entry;
    newest_ = &entry;
    if (oldest_ == nullptr) oldest_ = &entry;
  }

  void Remove(Entry& entry) {
    if (hand_ == &entry) hand_ = entry.newer;
    (entry.older != nullptr ? entry.older->newer : oldest_) = entry.newer;
    (entry.newer != nullptr ? entry.newer->older : newest_) = entry.older;
    bytes_ -= entry.cost;
    const Key key = entry.key;  // erase destroys the entry that it is in
    entries_.erase(key);
  }

  size_t most_bytes_ = 0;  // set before the first use, then constant

  mutable std::mutex mutex_;  // guards all below
  absl::flat_hash_map<Key, std::unique_ptr<Entry>> entries_;
  Entry* oldest_ = nullptr;
  Entry* newest_ = nullptr;
  Entry* hand_ = nullptr;  // next to look at; null: the oldest
  size_t bytes_ = 0;
  uint64_t evictions_ = 0;
};

Store::Store(int64_t most_bytes)
    : shard_count_(ShardCountFor(most_bytes)), shards_(std::make_unique<Shard[]>(shard_count_)) {
  for (size_t i = 0; i < shard_count_; ++i) shards_[i].SetMostBytes(most_bytes / shard_count_);
}

Store::~Store() = default;

std::optional<Kept> Store::Find(const Key& key) { return ShardOf(key).Find(key); }

bool Store::Put(const Key& key, Kept kept) { return ShardOf(key).Put(key, std::move(kept)); }

StoreStats Store::Stats() const {
  StoreStats stats;
  for (size_t i = 0; i < shard_count_; ++i) shards_[i].AddTo(stats);
  return stats;
}

size_t Store::CostOf(const Outcome& outcome) {
  // malloc's own share of a block, the control block of a shared_ptr, and a slot of the index at
  // its usual load.
  constexpr size_t kBlock = 16;
  constexpr size_t kIndexSlot = (sizeof(Key) + sizeof(void*) + 1) * 8 / 6;
  size_t cost = sizeof(Entry) + kBlock + kIndexSlot + sizeof(Outcome) + 2 * kBlock +
                outcome.message.capacity() + outcome.cf_ray.capacity() + 2 * kBlock;
  if (outcome.error != nullptr) {
    cost += sizeof(Error) + kBlock + outcome.error->message.capacity() +
            outcome.error->documentation_url.capacity();
    for (const auto& [key, value] : outcome.error->metadata) {
      cost += sizeof(key) + key.capacity() + sizeof(value) + value.capacity();
    }
  }
  return cost;
}

// The index uses the hash's low bits, so the shard is chosen by its high ones.
Store::Shard& Store::ShardOf(const Key& key) {
  const uint64_t hash = absl::HashOf(key);
  return shards_[(hash >> 48) & (shard_count_ - 1)];
}

}  // namespace pcap_gateway
