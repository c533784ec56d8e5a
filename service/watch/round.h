// Round: all who watch an account under one credential, and the questions that are asked for them.
//
// A round asks for the account's list, and again when that is no longer fresh. What was named and
// is not in the list is asked for by itself. Watches (watches.h) says what watchers are told when.
#ifndef PCAP_GATEWAY_SERVICE_WATCH_ROUND_H_
#define PCAP_GATEWAY_SERVICE_WATCH_ROUND_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/base/ticket.h"
#include "service/freshness/freshness.h"
#include "service/loop/loop.h"
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

class Round;

// The loop's thread only, once it has joined.
struct Watcher : std::enable_shared_from_this<Watcher> {
  using Each = std::function<void(const View& view)>;

  Watcher(Query query, Each each, Source::Done done)
      : query(std::move(query)), each(std::move(each)), done(std::move(done)) {}

  bool names_any() const { return query.resources != nullptr; }

  const Query query;
  Each each;
  Source::Done done;       // empty: it has ended
  Round* round = nullptr;  // null before and after
  std::list<std::shared_ptr<Watcher>>::iterator place;
  bool welcome = false;    // was told what is known, and is told what changes
  uint64_t waits_for = 0;  // before that: the list, by its number, that it is told
  size_t moving = 0;       // captures that it named, and that are not known to be final
  uint64_t told = 0;       // the latest publication, by its number
};
using WatcherPtr = std::shared_ptr<Watcher>;

// The loop's thread only. It is over when its last watcher has left, and asks nothing any more.
class Round : public std::enable_shared_from_this<Round> {
 public:
  // All outlive it.
  struct Surroundings {
    Source& source;
    const WatchOptions& options;
    Loop& loop;
    const Clock& clock;
    WatchStats& stats;
  };
  // A watcher of the round has left it, perhaps the last one.
  using Left = std::function<void(Round& round, const Watcher& watcher)>;

  Round(const Surroundings& around, Id account, std::shared_ptr<const Credential> credential,
        Left left);

  // Begins to watch. Its `each` and `done` may run before this returns.
  void Join(const WatcherPtr& watcher);

  // Ends a watcher that has joined; nothing, if it has ended. Its `done` runs with `reply`.
  void End(Watcher& watcher, Reply reply);

  // It asks with this one from now on, which may be shown other things.
  void SetCredential(std::shared_ptr<const Credential> credential);

  // A write may have changed what was asked for so far.
  void Outdate();

  bool over() const { return watchers_.empty(); }
  const Credential& credential() const { return *credential_; }

 private:
  // A capture that is asked for by itself.
  struct Get {
    absl::Time asked_at = absl::InfinitePast();  // in the past: its turn is yet to come
    Ticket ticket;
  };
  using Then = std::function<void(const Reply& reply)>;

  void Leave(Watcher& watcher);
  void EndAll(const Reply& reply);
  void EndThoseOf(const Id& id, const Reply& reply);

  void LookForKept(const WatcherPtr& watcher);
  void Admit(const WatcherPtr& watcher);
  void Welcome(const WatcherPtr& watcher);
  void WelcomeThoseWho(uint64_t wait_for);
  void Publish();

  void AskList(const Watcher* cause);
  void Listed(const std::shared_ptr<const Credential>& with, const Reply& reply);
  void LearnList(const OutcomePtr& list);
  void ListFailed(const Reply& reply);
  void AskAgainIn(absl::Duration delay);
  void Trim();

  void AskForMissing(const Watcher* newcomer);
  void AskNext();
  void Got(const Id& id, const std::shared_ptr<const Credential>& with, const Reply& reply);

  Query QuestionOf(const Endpoint& endpoint, const Watcher* cause);
  void Ask(Query query, Ticket* ticket, Then then);

  // Nothing was heard since the latest write.
  bool is_void() const { return heard_since_ < void_before_; }

  const Surroundings around_;
  const Id account_;
  const Left left_;
  std::shared_ptr<const Credential> credential_;
  std::list<WatcherPtr> watchers_;
  absl::flat_hash_set<Watcher*> of_account_;
  absl::flat_hash_map<Id, absl::flat_hash_set<Watcher*>> named_;

  Sightings sightings_;
  uint64_t publications_ = 0;
  OutcomePtr list_;  // the latest; null: none has come
  absl::Time fresh_until_ = absl::InfinitePast();
  absl::Time heard_since_ = absl::InfinitePast();  // when `list_` was asked for
  absl::Time void_before_ = absl::InfinitePast();  // the latest write

  uint64_t asked_ = 0;  // lists
  bool asking_ = false;
  absl::Time asked_at_;
  bool again_ = false;  // somebody needs a list that is asked for later than that
  absl::Duration next_max_age_ = absl::InfiniteDuration();
  int failures_ = 0;  // since the latest answer
  Ticket list_ticket_;
  Ticket timer_;

  absl::flat_hash_map<Id, Get> gets_;
  std::deque<Id> next_gets_;
  size_t gets_under_way_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_WATCH_ROUND_H_
