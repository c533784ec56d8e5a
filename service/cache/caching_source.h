// CachingSource: a Source around a Source that answers from what is kept, and asks once for all who
// want the same.
//
//   CachingSource source(std::move(rest_source), {.most_bytes = 64 << 20}, clock);
//
// A question that is handed on is a flight. It belongs to nobody: callers wait for it and leave as
// they like. A request that has been sent costs the same whether or not its answer is read, so a
// flight that all have left goes on by itself, like a refresh in the background: its answer is
// kept, and a caller who comes meanwhile may join it. What has not been sent by then is not sent:
// those below give it up (Query::is_abandoned).
//
// Under one key at most one flight is under way, so outcomes are stored in the order in which they
// were asked for. A caller who accepts nothing as old as the flight under way waits for the next
// one, which starts when that lands and serves all who came in between: many callers that insist on
// asking again cost at most one request after the other, never one each.
//
// What may not be kept (Query::may_be_kept) is passed on. A write makes us forget what it outdates
// before its caller hears of its success: that is erased, and a flight under way that asks for it
// answers those who came before, but is not stored, and nobody joins it any more.
//
// What is kept how long, and what for, says freshness.h; what it does to what stands there,
// keeper.h; what Cloudflare's word on a credential makes void, standing.h.
#ifndef PCAP_GATEWAY_SERVICE_CACHE_CACHING_SOURCE_H_
#define PCAP_GATEWAY_SERVICE_CACHE_CACHING_SOURCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/base/mutex.h"
#include "service/cache/keeper.h"
#include "service/cache/standing.h"
#include "service/cache/store.h"
#include "service/freshness/freshness.h"
#include "service/source/source.h"

namespace pcap_gateway {

struct CacheOptions {
  int64_t most_bytes = 64 << 20;  // positive
  FreshnessPolicy freshness;
  // Other replicas write, too, and tell those behind this one of it, but not us. So what a write
  // can outdate is not kept here, and who comes does not join what was asked for before.
  bool others_write = false;
};

// Every call is one hit or one miss.
struct CacheStats {
  Counter hits;            // answered from the store
  Counter misses;          // nothing stored that would do
  Counter collapsed;       // of the misses: waited for another's request
  Counter revalidating;    // of the hits: given stale, while it was refreshed
  Counter stale_if_error;  // of the misses: given stale, as there was nothing better
  Counter refreshes;       // requests that nobody waited for
  Counter confirmed;       // answers that fell behind a final one, and confirmed it
};

// Thread-safe. No lock is held while calling out.
class CachingSource final : public Source {
 public:
  // `inner` is asked with the deadline of nobody: flights end by themselves. The clock outlives the
  // source. All open questions of `inner` end before this is destroyed.
  CachingSource(std::unique_ptr<Source> inner, CacheOptions options, const Clock& clock);
  ~CachingSource() override;

  std::optional<Reply> AtHand(const Query& query) override;

  // Who leaves (Ticket::Cancel) gets a stale answer, where one would have done after a failure.
  Ticket Ask(Query query, Done done) override;

  const CacheStats& stats() const { return stats_; }
  StoreStats store_stats() const { return store_.Stats(); }

 private:
  struct Flight;
  struct Waiter;
  using FlightPtr = std::shared_ptr<Flight>;
  using WaiterPtr = std::shared_ptr<Waiter>;
  // What becomes of a caller for whom nothing is kept that would do.
  enum class Way {
    kLaunch,     // it asks
    kJoin,       // it gets the answer that is under way; a refresh is a call from then on
    kAwaitNext,  // what is under way is too old for it: it asks once that is over
  };

  void Refresh(const Query& query, absl::Time as_of, absl::Time now);
  Ticket PassOn(Query query, Done done);
  void Forget(const Subject& subject);
  Ticket AskCaches(Query query, StandingPtr standing, Done done);
  Way WayOf(const Flight* flight, absl::Duration max_age, const Standing& standing,
            absl::Time now) const;
  void Join(Flight& flight, const WaiterPtr& waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void JoinNext(Flight& flight, const WaiterPtr& waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Launch(const FlightPtr& flight);
  void Land(const FlightPtr& flight, Reply reply);
  void Leave(const WaiterPtr& waiter);
  FlightPtr Replace(const FlightPtr& flight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Charge(Flight& flight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool WillDo(const Waiter& waiter, const Flight& flight, const Keeping& landed,
              const CacheStatus& status, absl::Time now) const;
  Reply ReplyTo(const Waiter& waiter, const Reply& landed, absl::Time now);
  std::optional<Reply> StaleReplyTo(const Waiter& waiter, int forward_status, absl::Time now);

  const std::unique_ptr<Source> inner_;
  const CacheOptions options_;
  const Clock& clock_;
  Store store_;
  CacheStats stats_;

  Mutex mutex_;  // guards all flights' and waiters' fields, too
  absl::flat_hash_map<Key, FlightPtr> flights_ ABSL_GUARDED_BY(mutex_);  // under way
  Standings standings_ ABSL_GUARDED_BY(mutex_);
  Keeper keeper_ ABSL_GUARDED_BY(mutex_);
  uint64_t forgotten_ ABSL_GUARDED_BY(mutex_) = 0;  // how often something was outdated
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_CACHE_CACHING_SOURCE_H_
