// Watches: tells any number of watchers what becomes of captures, for one question to the source at
// a time.
//
//   Watches watches(source, {.list = &kListPcaps, .get = &kGetPcap}, loop, clock);
//   Ticket ticket = watches.Follow(query, [](const View& view) { … }, [](Reply end) { … });
//
// All who watch an account under one credential are one round. A round asks for the account's list,
// and again when that is no longer fresh. It asks as any caller does, so the caches in front of it
// make that one request to Cloudflare for all rounds of all replicas, and a watcher costs nothing
// while nothing changes. What was named and is not in the list is asked for by itself.
//
// A new watcher is told at once what the round knows, if that is fresh, or else what the next
// answer says. Captures that were named and are all kept as final need no list at all.
//
// What says nothing about the captures (Cloudflare is down, the budget is spent) is waited out: the
// watchers are told nothing, and catch up later. What denies them something ends them.
//
// A write that went through this gateway makes void what was asked for before: its round asks
// again at once, and nobody who comes after the write is told what was before it.
#ifndef PCAP_GATEWAY_SERVICE_WATCH_WATCHES_H_
#define PCAP_GATEWAY_SERVICE_WATCH_WATCHES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/base/mutex.h"
#include "service/freshness/freshness.h"
#include "service/loop/loop.h"
#include "service/source/ended_call.h"
#include "service/source/source.h"
#include "service/watch/sightings.h"

namespace pcap_gateway {

struct WatchOptions {
  const Endpoint* list = nullptr;  // not null; both have Endpoint::parts
  const Endpoint* get = nullptr;
  FreshnessPolicy freshness;  // the source's
  // Other replicas write, and tell the source of it, but not us: see CacheOptions.
  bool others_write = false;
};

struct WatchStats {
  std::atomic<int64_t> watchers{0};  // now
  std::atomic<int64_t> rounds{0};    // now
  Counter asked;                     // lists that rounds asked the source for
  Counter failed;                    // of these, those that brought nothing
  Counter changes;                   // captures that were new to a round, or had changed
};

// Thread-safe. Its state belongs to the loop's thread.
class Watches final : public CallObserver {
 public:
  // On the loop's thread. `view`: with all that is known; what is new in it says a Reader.
  using Each = std::function<void(const View& view)>;
  using Done = Source::Done;

  // Source, loop and clock outlive it.
  Watches(Source& source, WatchOptions options, Loop& loop, const Clock& clock);
  // The loop has stopped, or nothing is followed and nothing asked any more.
  ~Watches() override;

  // Follows `query.resources`, or all captures of the account where that is null, with the query's
  // credential. Its `max_age` is for what is told first. `each` runs first when something is known,
  // and then whenever that has changed. `done` runs once, after the last `each`, on the loop's
  // thread: with OK when all of `resources` are final; with an error; with CANCELLED after
  // Ticket::Cancel. Any thread.
  Ticket Follow(Query query, Each each, Done done);

  // The gateway's own credential is another one from now on. Any thread.
  void SetServiceCredential(std::shared_ptr<const Credential> credential);

  // A write may have changed what is known.
  void Ended(const EndedCall& call) override;

  // Who watches what, those with most watches first. Any thread.
  struct Audience {
    std::string caller;  // as the budget knows it; empty: it has no name
    Id account;
    int64_t watches = 0;
  };
  std::vector<Audience> Largest(size_t most) const;

  const WatchStats& stats() const { return stats_; }

 private:
  struct Watcher;
  struct Round;
  using WatcherPtr = std::shared_ptr<Watcher>;
  using RoundPtr = std::shared_ptr<Round>;
  // All of the gateway's own credentials, which follow each other, are one.
  using RoundKey = std::pair<Partition, Id>;
  using Then = std::function<void(const RoundPtr& round, const Reply& reply)>;

  void Join(const WatcherPtr& watcher);
  void Leave(Watcher& watcher);
  void End(Watcher& watcher, Reply reply);
  void EndAll(const RoundPtr& round, const Reply& reply);
  void Count(const Query& query, int64_t by);

  void LookForKept(const RoundPtr& round, const WatcherPtr& watcher);
  void Admit(const RoundPtr& round, const WatcherPtr& watcher);
  void Welcome(const RoundPtr& round, const WatcherPtr& watcher);
  void WelcomeThoseWho(const RoundPtr& round, uint64_t wait_for);

  void AskList(const RoundPtr& round, const Watcher* cause);
  void Listed(const RoundPtr& round, const std::shared_ptr<const Credential>& with,
              const Reply& reply);
  static void Trim(Round& round);
  void LearnList(Round& round, const OutcomePtr& list);
  void ListFailed(const RoundPtr& round, const Reply& reply);
  void AskAgainIn(const RoundPtr& round, absl::Duration delay);
  void Outdate(const Id& account);

  void AskForMissing(const RoundPtr& round, const Watcher* newcomer);
  void AskNext(const RoundPtr& round);
  void Got(const RoundPtr& round, const Id& id, const std::shared_ptr<const Credential>& with,
           const Reply& reply);
  void EndThoseOf(const RoundPtr& round, const Id& id, const Reply& reply);
  void Publish(const RoundPtr& round);

  Query QuestionOf(Round& round, const Endpoint& endpoint, const Watcher* cause) const;
  void Ask(const RoundPtr& round, Query query, Ticket* ticket, Then then);

  Source& source_;
  const WatchOptions options_;
  Loop& loop_;
  const Clock& clock_;
  absl::flat_hash_map<RoundKey, RoundPtr> rounds_;
  std::shared_ptr<const Credential> service_credential_;  // null: it is still the first one
  WatchStats stats_;

  mutable Mutex mutex_;
  // Watches by caller and account.
  absl::flat_hash_map<std::pair<std::string, Id>, int64_t> watched_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_WATCH_WATCHES_H_
