// CachingSource: a Source around a Source that answers from what is kept, and asks once for all who
// want the same.
//
//   CachingSource source(std::move(rest_source), {.most_bytes = 64 << 20}, clock);
//
// A question upstream is a flight. It belongs to nobody: callers wait for it and leave as they
// like, and only the last one to leave ends it. Under one key at most one flight is under way, so
// outcomes are stored in the order in which they were asked for. A caller who accepts nothing as
// old as the flight under way waits for the next one, which starts when that lands and serves all
// who came in between: many callers that insist on asking anew cost at most one request after the
// other, never one each.
#ifndef PCAP_GATEWAY_SERVICE_CACHE_CACHING_SOURCE_H_
#define PCAP_GATEWAY_SERVICE_CACHE_CACHING_SOURCE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "service/cache/freshness.h"
#include "service/cache/store.h"
#include "service/source/clock.h"
#include "service/source/counter.h"
#include "service/source/source.h"

namespace pcap_gateway {

struct CacheOptions {
  int64_t most_bytes = 64 << 20;  // positive
  FreshnessPolicy freshness;
};

struct CacheStats {
  Counter hits;       // answered from the store
  Counter misses;     // nothing stored that would do
  Counter collapsed;  // of those, waited for another's request
  Counter flights;    // requests handed on
};

// Thread-safe. No lock is held while calling out.
class CachingSource final : public Source {
 public:
  // `inner` is asked with the deadline of nobody: flights end by themselves or with their last
  // waiter. The clock outlives the source. All open questions of `inner` end before this is
  // destroyed.
  CachingSource(std::unique_ptr<Source> inner, CacheOptions options, const Clock& clock);
  ~CachingSource() override;

  std::optional<Reply> AtHand(const Query& query) override;
  Ticket Ask(Query query, Done done) override;

  const CacheStats& stats() const { return stats_; }
  StoreStats store_stats() const { return store_.Stats(); }

 private:
  struct Flight;
  using FlightPtr = std::shared_ptr<Flight>;

  // A caller who waits for a flight.
  struct Waiter {
    Done done;
    CacheStatus::How why;  // what it found in the store
    bool collapsed;
  };

  struct Found {
    std::optional<Reply> reply;                             // it will do
    CacheStatus::How why_not = CacheStatus::How::kUriMiss;  // meaningful without a reply
  };

  Found Look(const Query& query, absl::Time now);
  void Launch(const FlightPtr& flight);
  void Land(const FlightPtr& flight, const Reply& reply);
  void Leave(const FlightPtr& flight, std::list<Waiter>::iterator waiter);
  FlightPtr Replace(const FlightPtr& flight);  // with mutex_ held

  const std::unique_ptr<Source> inner_;
  const CacheOptions options_;
  const Clock& clock_;
  Store store_;
  CacheStats stats_;

  // Not absl::Mutex, whose code ThreadSanitizer cannot see into as Debian builds it.
  std::mutex mutex_;
  // Guarded by mutex_: the flight under way of each key, and all flights' fields.
  absl::flat_hash_map<Key, FlightPtr> flights_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CACHE_CACHING_SOURCE_H_
