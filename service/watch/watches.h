// Watches: tells any number of watchers what becomes of captures, for one question to the source at
// a time.
//
//   Watches watches(source, {.list = &kListPcaps, .get = &kGetPcap}, loop, clock);
//   Ticket ticket = watches.Follow(
//       query, [&](const View& view) { reader.Take(view); }, [&](Reply end) { Finish(end); });
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

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/loop/loop.h"
#include "service/source/source.h"
#include "service/watch/round.h"
#include "service/watch/sightings.h"

namespace pcap_gateway {

// Thread-safe. Its state belongs to the loop's thread.
class Watches final {
 public:
  // On the loop's thread. `view`: with all that is known; what is new in it says a Reader.
  using Each = Watcher::Each;
  using Done = Source::Done;

  // Source, loop and clock outlive it.
  Watches(Source& source, WatchOptions options, Loop& loop, const Clock& clock);
  // The loop has stopped, or nothing is followed and nothing asked any more.
  ~Watches();

  // Follows `query.resources`, or all captures of the account where that is null, with the query's
  // credential. Its `max_age` is for what is told first. `each` runs first when something is known,
  // and then whenever that has changed. `done` runs once, after the last `each`, on the loop's
  // thread: with OK when all of `resources` are final; with an error; with CANCELLED after
  // Ticket::Cancel. Any thread.
  Ticket Follow(Query query, Each each, Done done);

  // The gateway's own credential is another one from now on. Any thread.
  void SetServiceCredential(std::shared_ptr<const Credential> credential);

  // `write` may have changed what is known. Any thread.
  void Written(const Query& write);

  // Who watches what, those with most watches first. Any thread.
  struct Audience {
    std::string caller;  // as the budget knows it; empty: it has no name
    Id account;
    int64_t watches = 0;
  };
  std::vector<Audience> Largest(size_t most) const;

  const WatchStats& stats() const { return stats_; }

 private:
  using RoundPtr = std::shared_ptr<Round>;
  // All of the gateway's own credentials, which follow each other, are one.
  using RoundKey = std::pair<Partition, Id>;

  void Join(const WatcherPtr& watcher);
  void Count(const Query& query, int64_t by);
  void Outdate(const Id& account);

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
