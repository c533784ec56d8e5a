#include "service/watch/watches.h"

#include <algorithm>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <tuple>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "service/base/mutex.h"
#include "service/freshness/succession.h"
#include "service/source/cancelled.h"

namespace pcap_gateway {
namespace {

// A list that brought nothing is asked for again after the first of these, and then more and more
// seldom. Where the budget or the circuit refuses it, that costs Cloudflare nothing.
constexpr absl::Duration kFirstRetry = absl::Seconds(2);
constexpr absl::Duration kLastRetry = absl::Seconds(10);
// Cloudflare blocks for no longer than that.
constexpr absl::Duration kLongestBlock = absl::Minutes(5);

// Where Cloudflare takes longer to answer than the answer is fresh.
constexpr absl::Duration kShortestPause = absl::Milliseconds(100);

// Captures that a round asks for by themselves at once.
constexpr size_t kMostGets = 10;

// Whether another time may bring more, as this says nothing of captures and credential.
bool MayPass(const Outcome& failure) {
  if (failure.error->denies != Denies::kNothing) return false;
  switch (failure.error->code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      return false;
  }
}

// After so many failures in a row, this one included.
absl::Duration RetryAfter(const Outcome& failure, int failures) {
  const absl::Duration own = std::min(kFirstRetry * failures, kLastRetry);
  if (failure.ok() || !failure.error->retry_after.has_value()) return own;
  const bool is_cloudflares = failure.http_status == 429;
  return std::max(
      own, std::min(*failure.error->retry_after, is_cloudflares ? kLongestBlock : kLastRetry));
}

// That the question for one of them failed, told to who asked for several.
Reply WithName(const Reply& reply, const Id& id) {
  Error error = *reply.outcome->error;
  error.message = absl::StrCat("capture ", id.ToString(), ": ", error.message);
  error.metadata.emplace_back("pcapId", id.ToString());
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = reply.outcome->as_of;
  outcome->http_status = reply.outcome->http_status;
  outcome->cf_ray = reply.outcome->cf_ray;
  outcome->error = std::make_unique<const Error>(std::move(error));
  Reply named = reply;
  named.outcome = std::move(outcome);
  return named;
}

Reply AllFinal(absl::Time now) {
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = now;
  outcome->stage = Stage::kFinal;
  return {.outcome = std::move(outcome)};
}

}  // namespace

// The loop's thread only, once posted.
struct Watches::Watcher : std::enable_shared_from_this<Watches::Watcher> {
  Watcher(Query query, Each each, Done done)
      : query(std::move(query)), each(std::move(each)), done(std::move(done)) {}

  bool names_any() const { return query.resources != nullptr; }

  const Query query;
  Each each;
  Done done;       // empty: it has ended
  RoundPtr round;  // null before and after
  std::list<WatcherPtr>::iterator place;
  bool welcome = false;    // was told what is known, and is told what changes
  uint64_t waits_for = 0;  // before that: the list, by Round::asked, that it is told
  size_t moving = 0;       // captures that it named, and that are not known to be final
  uint64_t told = 0;       // Round::publications
};

// The loop's thread only.
struct Watches::Round {
  // A capture that is asked for by itself.
  struct Get {
    absl::Time asked_at = absl::InfinitePast();  // in the past: its turn is yet to come
    Ticket ticket;
  };

  bool over() const { return watchers.empty(); }
  // Nothing was heard since the latest write.
  bool is_void() const { return heard_since < void_before; }

  RoundKey key;
  std::shared_ptr<const Credential> credential;
  std::list<WatcherPtr> watchers;
  absl::flat_hash_set<Watcher*> of_account;
  absl::flat_hash_map<Id, absl::flat_hash_set<Watcher*>> named;

  Sightings sightings;
  uint64_t publications = 0;
  OutcomePtr list;  // the latest; null: none has come
  absl::Time fresh_until = absl::InfinitePast();
  absl::Time heard_since = absl::InfinitePast();  // when `list` was asked for
  absl::Time void_before = absl::InfinitePast();  // the latest write

  uint64_t asked = 0;  // lists
  bool asking = false;
  absl::Time asked_at;
  bool again = false;  // somebody needs a list that is asked for later than that
  absl::Duration next_max_age = absl::InfiniteDuration();
  int failures = 0;  // since the latest answer
  Ticket list_ticket;
  Ticket timer;

  absl::flat_hash_map<Id, Get> gets;
  std::deque<Id> next_gets;
  size_t gets_under_way = 0;
};

Watches::Watches(Source& source, WatchOptions options, Loop& loop, const Clock& clock)
    : source_(source), options_(options), loop_(loop), clock_(clock) {}

Watches::~Watches() {
  // Round and watcher hold each other.
  for (const auto& [key, round] : rounds_) {
    for (const WatcherPtr& watcher : round->watchers) watcher->round = nullptr;
  }
}

Ticket Watches::Follow(Query query, Each each, Done done) {
  auto watcher = std::make_shared<Watcher>(std::move(query), std::move(each), std::move(done));
  loop_.Post([this, watcher] { Join(watcher); });
  return Ticket(
      [this, watcher] { loop_.Post([this, watcher] { End(*watcher, CancelledReply()); }); });
}

void Watches::SetServiceCredential(std::shared_ptr<const Credential> credential) {
  loop_.Post([this, credential = std::move(credential)] {
    service_credential_ = credential;
    for (const auto& [key, round] : rounds_) {
      if (round->credential->owner() != Credential::Owner::kGateway) continue;
      round->credential = credential;
      // It may be shown other things.
      round->fresh_until = absl::InfinitePast();
    }
  });
}

void Watches::Ended(const EndedCall& call) {
  const Query& query = call.query;
  if (query.endpoint == nullptr || query.endpoint->outdates == nullptr) return;
  if (!MayHaveWritten(*call.reply.outcome)) return;
  for (const Subject& subject : query.outdates()) {
    if (subject.endpoint != options_.list->number) continue;
    loop_.Post([this, account = subject.account] { Outdate(account); });
  }
}

std::vector<Watches::Audience> Watches::Largest(size_t most) const {
  std::vector<Audience> all;
  {
    const Lock lock(mutex_);
    for (const auto& [who, watches] : watched_) all.push_back({who.first, who.second, watches});
  }
  const auto end = all.begin() + static_cast<ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const Audience& a, const Audience& b) {
    return std::tie(b.watches, a.account, a.caller) < std::tie(a.watches, b.account, b.caller);
  });
  all.erase(end, all.end());
  return all;
}

void Watches::Count(const Query& query, int64_t by) {
  stats_.watchers.fetch_add(by);
  std::pair<std::string, Id> who(query.caller == nullptr ? "" : *query.caller, query.account);
  const Lock lock(mutex_);
  const auto place = watched_.try_emplace(std::move(who), 0).first;
  place->second += by;
  if (place->second == 0) watched_.erase(place);
}

// --- who comes and goes

void Watches::Join(const WatcherPtr& watcher) {
  const Query& query = watcher->query;
  const bool is_gateways = query.credential->owner() == Credential::Owner::kGateway;
  const RoundKey key(is_gateways ? Partition{} : query.credential->partition(), query.account);
  RoundPtr& place = rounds_[key];
  const bool is_new = place == nullptr;
  if (is_new) {
    place = std::make_shared<Round>();
    place->key = key;
    place->credential =
        is_gateways && service_credential_ != nullptr ? service_credential_ : query.credential;
    stats_.rounds.fetch_add(1);
  }
  const RoundPtr round = place;
  watcher->round = round;
  watcher->place = round->watchers.insert(round->watchers.end(), watcher);
  if (watcher->names_any()) {
    for (const Id& id : *query.resources) round->named[id].insert(watcher.get());
  } else {
    round->of_account.insert(watcher.get());
  }
  Count(query, 1);
  if (is_new && watcher->names_any()) return LookForKept(round, watcher);
  Admit(round, watcher);
}

// The last one's leaving ends the round.
void Watches::Leave(Watcher& watcher) {
  const RoundPtr round = std::exchange(watcher.round, nullptr);
  if (watcher.names_any()) {
    for (const Id& id : *watcher.query.resources) {
      const auto named = round->named.find(id);
      named->second.erase(&watcher);
      if (named->second.empty()) round->named.erase(named);
    }
  } else {
    round->of_account.erase(&watcher);
  }
  Count(watcher.query, -1);
  round->watchers.erase(watcher.place);
  if (!round->over()) return;
  rounds_.erase(round->key);
  stats_.rounds.fetch_sub(1);
  round->timer.Cancel();
  round->list_ticket.Cancel();
  for (auto& [id, get] : round->gets) get.ticket.Cancel();
}

void Watches::End(Watcher& watcher, Reply reply) {
  if (!watcher.done) return;
  // The round's may be the last reference, and Leave drops it.
  const WatcherPtr kept = watcher.shared_from_this();
  Done done = std::exchange(watcher.done, nullptr);
  Leave(watcher);
  watcher.each = nullptr;
  std::move(done)(std::move(reply));
}

void Watches::EndAll(const RoundPtr& round, const Reply& reply) {
  while (!round->over()) End(*round->watchers.front(), reply);
}

void Watches::EndThoseOf(const RoundPtr& round, const Id& id, const Reply& reply) {
  const auto named = round->named.find(id);
  if (named == round->named.end()) return;
  std::vector<WatcherPtr> watchers;
  for (Watcher* const watcher : named->second) watchers.push_back(watcher->shared_from_this());
  const Reply with_name = WithName(reply, id);
  for (const WatcherPtr& watcher : watchers) End(*watcher, with_name);
}

// Where all that are named are kept as final, nothing has to be asked.
void Watches::LookForKept(const RoundPtr& round, const WatcherPtr& watcher) {
  const auto left = std::make_shared<size_t>(watcher->query.resources->size());
  for (const Id& id : *watcher->query.resources) {
    Query query = QuestionOf(*round, *options_.get, watcher.get());
    query.resource = id;
    query.only_if_cached = true;
    query.max_age = std::min(query.max_age, watcher->query.max_age);
    Ticket unused;
    Ask(round, std::move(query), &unused,
        [this, id, left, watcher](const RoundPtr& round, const Reply& reply) {
          if (reply.outcome->ok()) {
            for (const Part& part : options_.get->parts(*reply.outcome)) {
              round->sightings.Learn(id, part.outcome, false);
            }
          }
          if (--*left > 0) return;
          Publish(round);
          if (watcher->done) Admit(round, watcher);
        });
  }
}

// Tells it what is known, or has it wait for the list that tells it.
void Watches::Admit(const RoundPtr& round, const WatcherPtr& watcher) {
  const absl::Duration max_age = watcher->query.max_age;
  const absl::Time now = clock_.Now();
  const auto is_final = [&](const Id& id) {
    const Sighting* const sighting = round->sightings.Find(id);
    return sighting != nullptr && sighting->is_final();
  };
  const bool needs_no_list =
      watcher->names_any() &&
      std::all_of(watcher->query.resources->begin(), watcher->query.resources->end(), is_final);
  // While lists fail, what is known is the best that there is.
  const bool is_good = now < round->fresh_until || round->failures > 0;
  const bool will_do = round->list != nullptr && is_good && !round->is_void() &&
                       !options_.others_write && max_age > absl::ZeroDuration() &&
                       now - round->list->as_of <= max_age;
  if (needs_no_list || will_do) {
    Welcome(round, watcher);
    if (watcher->done) AskForMissing(round, watcher.get());
    return;
  }
  round->next_max_age = std::min(round->next_max_age, max_age);
  if (!round->asking) {
    watcher->waits_for = round->asked + 1;
    // Not before its time: what fails is not to be asked for by each who comes.
    if (round->failures == 0) AskList(round, watcher.get());
    return;
  }
  const bool is_too_early = options_.others_write || round->asked_at < round->void_before ||
                            max_age < absl::InfiniteDuration();
  round->again = round->again || is_too_early;
  watcher->waits_for = round->asked + (is_too_early ? 1 : 0);
}

// What was learnt has been published.
void Watches::Welcome(const RoundPtr& round, const WatcherPtr& watcher) {
  watcher->welcome = true;
  watcher->told = round->publications;
  if (!round->sightings.all().empty()) watcher->each(round->sightings.Look());
  if (!watcher->names_any()) return;
  watcher->moving = 0;
  for (const Id& id : *watcher->query.resources) {
    const Sighting* const sighting = round->sightings.Find(id);
    if (sighting == nullptr || !sighting->is_final()) ++watcher->moving;
  }
  if (watcher->moving == 0) End(*watcher, AllFinal(clock_.Now()));
}

// Those who wait for this list, or an earlier one.
void Watches::WelcomeThoseWho(const RoundPtr& round, uint64_t wait_for) {
  std::vector<WatcherPtr> waiting;
  for (const WatcherPtr& watcher : round->watchers) {
    const bool waits = !watcher->welcome && watcher->waits_for > 0;
    if (waits && watcher->waits_for <= wait_for) waiting.push_back(watcher);
  }
  for (const WatcherPtr& watcher : waiting) Welcome(round, watcher);
}

// --- questions

// Asked by the `cause`, or by each of the watchers in turn: each pays its part, and has its part of
// the budget.
Query Watches::QuestionOf(Round& round, const Endpoint& endpoint, const Watcher* cause) const {
  Query query;
  query.endpoint = &endpoint;
  query.credential = round.credential;
  query.account = round.key.second;
  if (round.void_before != absl::InfinitePast()) {
    query.max_age = clock_.Now() - round.void_before;
  }
  if (cause == nullptr) {
    cause = round.watchers.front().get();
    round.watchers.splice(round.watchers.end(), round.watchers, round.watchers.begin());
  } else {
    query.trace = cause->query.trace;
  }
  query.caller = cause->query.caller;
  query.requests_sent = cause->query.requests_sent;
  return query;
}

// `then` runs in a turn of its own, while the round is not over.
void Watches::Ask(const RoundPtr& round, Query query, Ticket* ticket, Then then) {
  *ticket = source_.Ask(std::move(query), [&loop = loop_, weak = std::weak_ptr<Round>(round),
                                           then = std::move(then)](Reply reply) mutable {
    loop.Post([weak = std::move(weak), then = std::move(then), reply = std::move(reply)] {
      const RoundPtr round = weak.lock();
      if (round != nullptr && !round->over()) then(round, reply);
    });
  });
}

void Watches::AskList(const RoundPtr& round, const Watcher* cause) {
  if (round->asking) return;
  round->timer.Cancel();
  round->asking = true;
  round->again = false;
  round->asked_at = clock_.Now();
  ++round->asked;
  stats_.asked.Add();
  Query query = QuestionOf(*round, *options_.list, cause);
  query.max_age =
      std::min(query.max_age, std::exchange(round->next_max_age, absl::InfiniteDuration()));
  Ask(round, std::move(query), &round->list_ticket,
      [this, with = round->credential](const RoundPtr& round, const Reply& reply) {
        Listed(round, with, reply);
      });
}

void Watches::Listed(const RoundPtr& round, const std::shared_ptr<const Credential>& with,
                     const Reply& reply) {
  round->asking = false;
  round->list_ticket = Ticket();
  const bool is_of_before = with != round->credential || round->asked_at < round->void_before;
  if (is_of_before) return AskList(round, nullptr);
  if (!reply.outcome->ok()) return ListFailed(round, reply);

  const absl::Time now = clock_.Now();
  round->heard_since = round->asked_at;
  if (reply.cache_status.stale_if_error) {
    ++round->failures;
    stats_.failed.Add();
    round->fresh_until = now;
    AskAgainIn(round, RetryAfter(*reply.outcome, round->failures));
  } else {
    round->failures = 0;
    const absl::Duration ttl = reply.cache_status.ttl.value_or(absl::ZeroDuration());
    const absl::Duration lifetime = LifetimeOf(*reply.outcome, options_.freshness);
    round->fresh_until = ttl > absl::ZeroDuration() ? now + ttl : reply.outcome->as_of + lifetime;
    AskAgainIn(round, lifetime > absl::ZeroDuration()
                          ? std::max(round->fresh_until - now, kShortestPause)
                          : kFirstRetry);
  }
  LearnList(*round, reply.outcome);
  Publish(round);
  WelcomeThoseWho(round, round->asked);
  if (round->over()) return;
  AskForMissing(round, nullptr);
  if (round->again) AskList(round, nullptr);
}

void Watches::LearnList(Round& round, const OutcomePtr& list) {
  const bool is_same = round.list != nullptr && round.list->message == list->message;
  round.list = list;
  if (is_same) return;
  round.sightings.BeginList();
  for (const Part& part : options_.list->parts(*list)) {
    // What has no name cannot be told from the next one.
    if (part.resource == Id()) continue;
    round.sightings.Learn(part.resource, part.outcome, true);
  }
  Trim(round);
}

void Watches::Trim(Round& round) {
  round.sightings.Trim([&](const Id& id) { return round.named.contains(id); });
}

void Watches::ListFailed(const RoundPtr& round, const Reply& reply) {
  stats_.failed.Add();
  if (!MayPass(*reply.outcome)) return EndAll(round, reply);
  ++round->failures;
  AskAgainIn(round, RetryAfter(*reply.outcome, round->failures));
  if (!options_.others_write && !round->is_void()) WelcomeThoseWho(round, round->asked);
  if (!round->over()) AskForMissing(round, nullptr);
}

void Watches::AskAgainIn(const RoundPtr& round, absl::Duration delay) {
  round->timer.Cancel();
  round->timer = loop_.After(delay, [this, weak = std::weak_ptr<Round>(round)] {
    const RoundPtr round = weak.lock();
    if (round == nullptr || round->over()) return;
    round->timer = Ticket();
    AskList(round, nullptr);
  });
}

// What was asked for so far may be from before the write.
void Watches::Outdate(const Id& account) {
  for (const auto& [key, round] : rounds_) {
    if (key.second != account) continue;
    round->void_before = clock_.Now();
    round->sightings.ForgetPast();
    AskList(round, nullptr);
  }
}

// Those that were named and that the latest list does not have; and such as it once had, while they
// move. `newcomer`: only its own that nobody knows; null: everybody's.
void Watches::AskForMissing(const RoundPtr& round, const Watcher* newcomer) {
  const bool unknown_only = newcomer != nullptr || round->failures > 0;
  const auto want = [&](const Id& id) {
    const Sighting* const sighting = round->sightings.Find(id);
    const bool is_wanted =
        sighting == nullptr || (!unknown_only && !sighting->in_list && !sighting->is_final());
    if (is_wanted && round->gets.try_emplace(id).second) round->next_gets.push_back(id);
  };
  if (newcomer != nullptr) {
    if (newcomer->names_any()) {
      for (const Id& id : *newcomer->query.resources) want(id);
    }
  } else {
    for (const auto& [id, watchers] : round->named) want(id);
    if (!round->of_account.empty()) {
      for (const auto& [id, sighting] : round->sightings.all()) {
        if (sighting.listed > 0) want(id);
      }
    }
  }
  AskNext(round);
}

void Watches::AskNext(const RoundPtr& round) {
  while (round->gets_under_way < kMostGets && !round->next_gets.empty()) {
    const Id id = round->next_gets.front();
    round->next_gets.pop_front();
    const auto named = round->named.find(id);
    const bool is_named = named != round->named.end();
    const Sighting* const sighting = round->sightings.Find(id);
    const bool is_known = sighting != nullptr && (sighting->in_list || sighting->is_final());
    if (is_known || (!is_named && round->of_account.empty())) {
      round->gets.erase(id);
      continue;
    }
    ++round->gets_under_way;
    Round::Get& get = round->gets[id];
    get.asked_at = clock_.Now();
    Query query = QuestionOf(*round, *options_.get, is_named ? *named->second.begin() : nullptr);
    query.resource = id;
    Ask(round, std::move(query), &get.ticket,
        [this, id, with = round->credential](const RoundPtr& round, const Reply& reply) {
          Got(round, id, with, reply);
        });
  }
}

void Watches::Got(const RoundPtr& round, const Id& id,
                  const std::shared_ptr<const Credential>& with, const Reply& reply) {
  const absl::Time asked_at = round->gets[id].asked_at;
  round->gets.erase(id);
  --round->gets_under_way;
  const Outcome& outcome = *reply.outcome;
  if (with != round->credential || asked_at < round->void_before) {
    round->gets.try_emplace(id);
    round->next_gets.push_back(id);
  } else if (outcome.ok()) {
    for (const Part& part : options_.get->parts(outcome)) {
      round->sightings.Learn(id, part.outcome, false);
    }
    Publish(round);
    Trim(*round);
  } else if (outcome.error->denies != Denies::kNothing) {
    return EndAll(round, reply);
  } else if (!MayPass(outcome)) {
    round->sightings.Forget(id);
    EndThoseOf(round, id, reply);
  }
  if (!round->over()) AskNext(round);
}

// --- news

// Tells those whom it concerns what was learnt since the last time.
void Watches::Publish(const RoundPtr& round) {
  const std::vector<Sightings::Change> changes = round->sightings.TakeChanges();
  if (changes.empty()) return;
  ++round->publications;
  std::vector<WatcherPtr> concerned;
  const auto concern = [&](Watcher* watcher) {
    if (!watcher->welcome || watcher->told == round->publications) return;
    watcher->told = round->publications;
    concerned.push_back(watcher->shared_from_this());
  };
  bool concerns_account = false;
  for (const Sightings::Change& change : changes) {
    stats_.changes.Add();
    const Sighting* const sighting = round->sightings.Find(change.id);
    concerns_account = concerns_account || (sighting != nullptr && sighting->listed > 0);
    const auto named = round->named.find(change.id);
    if (named == round->named.end()) continue;
    for (Watcher* const watcher : named->second) {
      concern(watcher);
      if (watcher->welcome && change.ended) --watcher->moving;
    }
  }
  if (concerns_account) {
    for (Watcher* const watcher : round->of_account) concern(watcher);
  }
  const View view = round->sightings.Look();
  for (const WatcherPtr& watcher : concerned) {
    watcher->each(view);
    if (watcher->names_any() && watcher->moving == 0) End(*watcher, AllFinal(clock_.Now()));
  }
}

}  // namespace pcap_gateway
