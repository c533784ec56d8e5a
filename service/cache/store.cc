#include "service/cache/store.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "service/base/mutex.h"

namespace pcap_gateway {
namespace {

// Small stores have few shards: an entry can be no larger than its shard. Twice the largest message
// that gRPC clients accept, 4 MiB.
constexpr int64_t kBytesPerShard = 8 << 20;
constexpr int64_t kMostShards = 64;

size_t ShardCountFor(int64_t most_bytes) {
  size_t count = 1;
  while (static_cast<int64_t>(count) < kMostShards &&
         static_cast<int64_t>(count) * 2 * kBytesPerShard <= most_bytes) {
    count *= 2;
  }
  return count;
}

// A time in half the space of an absl::Time. The extremes stand for the infinite ones.
using Nanos = int64_t;
constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

Nanos ToNanos(absl::Time time) { return absl::ToUnixNanos(time); }  // saturates

absl::Time FromNanos(Nanos nanos) {
  if (nanos == kNever) return absl::InfiniteFuture();
  if (nanos == std::numeric_limits<Nanos>::min()) return absl::InfinitePast();
  return absl::FromUnixNanos(nanos);
}

// In the order in which a hit reads it, which so touches two cache lines; and the standing's, which
// are as hot as the credential.
struct Entry {
  bool Is(const Key& key) const {
    return resource == key.resource && endpoint == key.endpoint &&
           standing->account() == key.account && standing->partition() == key.partition;
  }
  Key ToKey() const { return {standing->partition(), standing->account(), resource, endpoint}; }
  Kept ToKept() const { return {outcome, FromNanos(fresh_until), FromNanos(refresh_at)}; }
  bool counts() const { return standing->Counts(outcome->as_of); }

  StandingPtr standing;
  Id resource;
  uint8_t endpoint = 0;
  bool marked = false;  // asked for since the hand last passed
  uint32_t cost = 0;
  OutcomePtr outcome;
  Nanos fresh_until = 0;
  Nanos refresh_at = kNever;
  Entry* newer = nullptr;
  Entry* older = nullptr;
};

absl::Duration ClaimFor(absl::Duration left) { return std::max(absl::Seconds(1), left / 8); }

// What malloc takes for `bytes`: a word for itself, in steps of 16, no less than 32.
constexpr size_t BlockOf(size_t bytes) {
  return std::max<size_t>(32, (bytes + sizeof(size_t) + 15) / 16 * 16);
}
// One byte more is the next step, times 1,000,000.
static_assert(BlockOf(sizeof(Entry)) <= 96);

size_t HeapOf(const std::string& text) {
  static const size_t inside = std::string().capacity();
  return text.capacity() <= inside ? 0 : BlockOf(text.capacity() + 1);
}

template <typename T>
size_t HeapOf(const std::vector<T>& items) {
  return items.capacity() == 0 ? 0 : BlockOf(items.capacity() * sizeof(T));
}

size_t HeapOf(const Error& error) {
  size_t bytes = BlockOf(sizeof(Error)) + HeapOf(error.message) + HeapOf(error.documentation_url) +
                 HeapOf(error.metadata) + HeapOf(error.field_violations);
  for (const auto& [key, value] : error.metadata) bytes += HeapOf(key) + HeapOf(value);
  for (const FieldViolation& violation : error.field_violations) {
    bytes += HeapOf(violation.field) + HeapOf(violation.description);
  }
  return bytes;
}

// A key with its hash, which is computed once, before the lock.
struct Wanted {
  explicit Wanted(const Key& key) : key(key), hash(absl::HashOf(key)) {}

  const Key& key;
  const size_t hash;
};

// The index holds pointers, hashed through to the keys: a key is in memory once.
struct HashOfKey {
  using is_transparent = void;
  size_t operator()(const Entry* entry) const { return absl::HashOf(entry->ToKey()); }
  size_t operator()(const Wanted& wanted) const { return wanted.hash; }
};

struct SameKey {
  using is_transparent = void;
  bool operator()(const Entry* a, const Entry* b) const { return a->Is(b->ToKey()); }
  bool operator()(const Entry* a, const Wanted& b) const { return a->Is(b.key); }
};

// Entries that were taken out under the lock, to be destroyed after it.
class Removed {
 public:
  Removed() = default;
  Removed(const Removed&) = delete;
  Removed& operator=(const Removed&) = delete;
  ~Removed() {
    while (first_ != nullptr) delete std::exchange(first_, first_->newer);
  }

  void Add(Entry* entry) { entry->newer = std::exchange(first_, entry); }

 private:
  Entry* first_ = nullptr;
};

}  // namespace

// Aligned so that no two shards' locks share a cache line.
class alignas(64) Store::Shard {
 public:
  Shard() = default;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard() {
    while (oldest_ != nullptr) delete std::exchange(oldest_, oldest_->newer);
  }

  void SetMostBytes(size_t most_bytes) { most_bytes_ = most_bytes; }

  std::optional<Kept> Find(const Wanted& wanted) {
    const Lock lock(mutex_);
    Entry* entry = Look(wanted);
    if (entry == nullptr || !entry->counts()) return std::nullopt;
    // Not written when it is set: hits by many threads leave the line in all their caches.
    if (!entry->marked) entry->marked = true;
    return entry->ToKept();
  }

  std::optional<Kept> Peek(const Wanted& wanted) const {
    const Lock lock(mutex_);
    const Entry* entry = Look(wanted);
    if (entry == nullptr || !entry->counts()) return std::nullopt;
    return entry->ToKept();
  }

  bool ClaimRefresh(const Wanted& wanted, absl::Time now) {
    const Lock lock(mutex_);
    Entry* entry = Look(wanted);
    if (entry == nullptr || !entry->counts()) return false;
    if (entry->refresh_at == kNever || entry->refresh_at > ToNanos(now)) return false;
    entry->refresh_at = ToNanos(now + ClaimFor(FromNanos(entry->fresh_until) - now));
    return true;
  }

  bool Put(const Wanted& wanted, Kept kept, StandingPtr standing) {
    const size_t cost = CostOf(*kept.outcome);
    Removed removed;
    OutcomePtr replaced;
    const Lock lock(mutex_);
    Entry* entry = Look(wanted);
    if (cost > std::min<size_t>(most_bytes_, std::numeric_limits<uint32_t>::max())) {
      if (entry != nullptr) Remove(*entry, removed);
      return false;
    }
    if (entry == nullptr) {
      bytes_ += cost;
      MakeRoom(nullptr, removed);
      entry = new Entry{.standing = std::move(standing),
                        .resource = wanted.key.resource,
                        .endpoint = wanted.key.endpoint};
      entries_.insert(entry);
      LinkNewest(*entry);
    } else {
      entry->standing.swap(standing);
      bytes_ += cost - entry->cost;
      MakeRoom(entry, removed);
    }
    entry->cost = static_cast<uint32_t>(cost);
    replaced = std::exchange(entry->outcome, std::move(kept.outcome));
    entry->fresh_until = ToNanos(kept.fresh_until);
    entry->refresh_at = ToNanos(kept.refresh_at);
    return true;
  }

  void Erase(const Subject& subject) {
    Removed removed;
    const Lock lock(mutex_);
    for (Entry* entry = oldest_; entry != nullptr;) {
      Entry& candidate = *std::exchange(entry, entry->newer);
      if (candidate.ToKey().subject() == subject) Remove(candidate, removed);
    }
  }

  void AddTo(StoreStats& stats) const {
    const Lock lock(mutex_);
    stats.entries += entries_.size();
    stats.bytes += bytes_;
    stats.evictions += evictions_;
  }

 private:
  Entry* Look(const Wanted& wanted) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    entries_.prefetch(wanted);  // both parts of the index at once, where `find` goes one by one
    const auto found = entries_.find(wanted);
    return found == entries_.end() ? nullptr : *found;
  }

  // The hand's walk. `spared` stays: it is what room is made for.
  void MakeRoom(const Entry* spared, Removed& removed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (bytes_ > most_bytes_ && oldest_ != nullptr) {
      Entry* candidate = hand_ != nullptr ? hand_ : oldest_;
      hand_ = candidate->newer;
      if (candidate == spared) {
        if (oldest_ == newest_) return;
        continue;
      }
      if (std::exchange(candidate->marked, false)) continue;
      Remove(*candidate, removed);
      ++evictions_;
    }
  }

  void LinkNewest(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    entry.older = newest_;
    if (newest_ != nullptr) newest_->newer = &entry;
    newest_ = &entry;
    if (oldest_ == nullptr) oldest_ = &entry;
  }

  void Remove(Entry& entry, Removed& removed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (hand_ == &entry) hand_ = entry.newer;
    (entry.older != nullptr ? entry.older->newer : oldest_) = entry.newer;
    (entry.newer != nullptr ? entry.newer->older : newest_) = entry.older;
    bytes_ -= entry.cost;
    entries_.erase(&entry);
    removed.Add(&entry);
  }

  size_t most_bytes_ = 0;  // set before the first use, then constant

  mutable Mutex mutex_;
  absl::flat_hash_set<Entry*, HashOfKey, SameKey> entries_ ABSL_GUARDED_BY(mutex_);
  Entry* oldest_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Entry* newest_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Entry* hand_ ABSL_GUARDED_BY(mutex_) = nullptr;  // next to look at; null: the oldest
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t evictions_ ABSL_GUARDED_BY(mutex_) = 0;
};

Store::Store(int64_t most_bytes)
    : shard_count_(ShardCountFor(most_bytes)), shards_(std::make_unique<Shard[]>(shard_count_)) {
  for (size_t i = 0; i < shard_count_; ++i) shards_[i].SetMostBytes(most_bytes / shard_count_);
}

Store::~Store() = default;

std::optional<Kept> Store::Find(const Key& key) {
  const Wanted wanted(key);
  return ShardOf(wanted.hash).Find(wanted);
}

std::optional<Kept> Store::Peek(const Key& key) const {
  const Wanted wanted(key);
  return ShardOf(wanted.hash).Peek(wanted);
}

bool Store::ClaimRefresh(const Key& key, absl::Time now) {
  const Wanted wanted(key);
  return ShardOf(wanted.hash).ClaimRefresh(wanted, now);
}

bool Store::Put(const Key& key, Kept kept, StandingPtr standing) {
  const Wanted wanted(key);
  return ShardOf(wanted.hash).Put(wanted, std::move(kept), std::move(standing));
}

void Store::Erase(const Subject& subject) {
  for (size_t i = 0; i < shard_count_; ++i) shards_[i].Erase(subject);
}

StoreStats Store::Stats() const {
  StoreStats stats;
  for (size_t i = 0; i < shard_count_; ++i) shards_[i].AddTo(stats);
  return stats;
}

size_t Store::CostOf(const Outcome& outcome) {
  // A slot of the index: a pointer and a byte, at the middle of its load, which goes from 7/16 to
  // 7/8.
  constexpr size_t kIndexSlot = (sizeof(Entry*) + 1) * 3 / 2;
  // The counts of a shared_ptr, which make_shared puts into the same block.
  constexpr size_t kCounts = 16;
  size_t cost = BlockOf(sizeof(Entry)) + kIndexSlot + BlockOf(kCounts + sizeof(Outcome)) +
                HeapOf(outcome.message);
  if (outcome.error != nullptr) cost += HeapOf(*outcome.error);
  return cost;
}

// The index uses the hash's low bits, so the shard is chosen by its high ones.
Store::Shard& Store::ShardOf(size_t hash) const {
  return shards_[(uint64_t{hash} >> 48) & (shard_count_ - 1)];
}

}  // namespace pcap_gateway
