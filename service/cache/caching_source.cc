#include "service/cache/caching_source.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <utility>
#include <vector>

#include "service/base/mutex.h"
#include "service/freshness/succession.h"
#include "service/source/cancelled.h"

namespace pcap_gateway {
namespace {

Keeping KeepingOf(const Kept& kept) {
  return {.as_of = kept.outcome->as_of, .fresh_until = kept.fresh_until, .ok = kept.outcome->ok()};
}

absl::Duration AgeOf(const Outcome& outcome, absl::Time now) {
  return std::max(now - outcome.as_of, absl::ZeroDuration());
}

// The answer of a kept outcome that is fresh, or stale but good enough.
Reply HitOf(Kept kept, absl::Time now) {
  const absl::Duration age = AgeOf(*kept.outcome, now);
  return {.outcome = std::move(kept.outcome),
          .cache_status = {.how = CacheStatus::How::kHit, .ttl = kept.fresh_until - now},
          .age = age};
}

// That nobody waited when its turn came, which it so did not take.
bool IsGivenUp(const Reply& reply) {
  return !reply.outcome->ok() && reply.outcome->error->reason == Reason::kCancelled;
}

// What the reply says of the credential, or what replicas have said.
void Hear(const Reply& reply, Standing& standing, absl::Time now) {
  standing.Deny(Denies::kEverything, reply.denied.everything);
  standing.Deny(Denies::kAccount, reply.denied.account);
  standing.Deny(DeniedBy(*reply.outcome), now);
}

// Nothing that is void is to be given by those behind this one either: they may not have heard.
absl::Duration WithinStanding(absl::Duration max_age, const Standing& standing, absl::Time now) {
  return std::min(max_age, std::max(now - standing.since(), absl::ZeroDuration()));
}

CacheStatus::How WhyNot(Freshness freshness) {
  return freshness == Freshness::kTooOldForCaller ? CacheStatus::How::kRequest
                                                  : CacheStatus::How::kStale;
}

}  // namespace

// A caller who waits. All fields but the constant ones: guarded by the source's mutex_.
struct CachingSource::Waiter {
  Done done;
  const Key key;
  const absl::Time asked;
  const absl::Duration max_age;
  const absl::Time deadline;
  const CacheStatus::How why;  // what it found in the store
  const std::shared_ptr<std::atomic<int>> requests_sent;
  bool collapsed = false;
  Flight* flight = nullptr;              // that it waits for; null: it has been answered, or left
  std::list<WaiterPtr>::iterator place;  // in the flight's list
};

// All fields but the constant ones: guarded by the source's mutex_.
struct CachingSource::Flight : std::enable_shared_from_this<CachingSource::Flight> {
  Flight(Query query, StandingPtr standing)
      : query(std::move(query)), key(this->query.key()), standing(std::move(standing)) {}

  bool is_launched() const { return launched_at != absl::InfiniteFuture(); }

  // Of the one who caused it, with the smallest max_age of those who waited for it to be launched.
  Query query;
  const Key key;
  const StandingPtr standing;  // not null
  absl::Time launched_at = absl::InfiniteFuture();
  std::list<WaiterPtr> waiters;
  // Until when anybody who has joined would wait. Written with mutex_ held, read by those below.
  LatestDeadline waited_until{absl::InfinitePast()};
  // Requests that those below have sent, and how many of them some call has been told of.
  std::atomic<int> requests_sent{0};
  int charged = 0;
  // A write has made it void meanwhile, except for those who joined before.
  bool outdated = false;
  FlightPtr next;  // launched when this one is over
};

CachingSource::CachingSource(std::unique_ptr<Source> inner, CacheOptions options,
                             const Clock& clock)
    : inner_(std::move(inner)),
      options_(options),
      clock_(clock),
      store_(options.most_bytes),
      keeper_(store_, options.freshness, options.others_write, stats_.confirmed) {}

CachingSource::~CachingSource() = default;

std::optional<Reply> CachingSource::AtHand(const Query& query) {
  if (!query.may_be_kept()) return std::nullopt;
  const absl::Time now = clock_.Now();
  const Key key = query.key();
  std::optional<Kept> kept = store_.Find(key);
  if (!kept.has_value()) return std::nullopt;
  const Freshness freshness = FreshnessOf(KeepingOf(*kept), query.max_age, options_.freshness, now);
  if (freshness == Freshness::kStaleWhileRevalidate) {
    stats_.revalidating.Add();
  } else if (freshness != Freshness::kFresh) {
    return std::nullopt;
  }
  stats_.hits.Add();
  // The turn is claimed by who will take it, and by nobody else.
  const bool is_due = kept->refresh_at <= now && !query.only_if_cached;
  if (is_due && store_.ClaimRefresh(key, now)) Refresh(query, kept->outcome->as_of, now);
  return HitOf(*std::move(kept), now);
}

// Asks again for what is kept as of `as_of`, unless that is being asked already.
void CachingSource::Refresh(const Query& query, absl::Time as_of, absl::Time now) {
  FlightPtr flight;
  {
    const Lock lock(mutex_);
    FlightPtr& current = flights_[query.key()];
    if (current != nullptr) return;
    flight = current = std::make_shared<Flight>(
        query, standings_.Of(query.credential->partition(), query.account));
    flight->launched_at = now;
    flight->query.background = true;
    // Anything younger than what is kept here is a refresh; another replica may have it.
    flight->query.max_age = std::max(now - as_of - absl::Milliseconds(1), absl::ZeroDuration());
  }
  stats_.refreshes.Add();
  Launch(flight);
}

Ticket CachingSource::Ask(Query query, Done done) {
  if (!query.may_be_kept()) return PassOn(std::move(query), std::move(done));
  const absl::Time now = clock_.Now();
  WaiterPtr waiter;
  FlightPtr launch;
  {
    Lock lock(mutex_);
    CacheStatus::How why = CacheStatus::How::kUriMiss;
    // A flight may have landed since the caller looked.
    if (std::optional<Kept> kept = store_.Peek(query.key())) {
      const Freshness freshness =
          FreshnessOf(KeepingOf(*kept), query.max_age, options_.freshness, now);
      if (freshness == Freshness::kFresh) {
        lock.Unlock();
        stats_.hits.Add();
        std::move(done)(HitOf(*std::move(kept), now));
        return {};
      }
      why = WhyNot(freshness);
    }
    stats_.misses.Add();
    StandingPtr standing = standings_.Of(query.credential->partition(), query.account);
    if (query.only_if_cached) {
      lock.Unlock();
      return AskCaches(std::move(query), std::move(standing), std::move(done));
    }
    waiter = std::make_shared<Waiter>(Waiter{.done = std::move(done),
                                             .key = query.key(),
                                             .asked = now,
                                             .max_age = query.max_age,
                                             .deadline = query.deadline,
                                             .why = why,
                                             .requests_sent = query.requests_sent});
    FlightPtr& current = flights_[waiter->key];
    switch (WayOf(current.get(), waiter->max_age, *standing, now)) {
      case Way::kLaunch:
        launch = current = std::make_shared<Flight>(std::move(query), std::move(standing));
        Join(*launch, waiter);
        launch->launched_at = now;
        break;
      case Way::kJoin:
        Join(*current, waiter);
        break;
      case Way::kAwaitNext:
        if (current->next == nullptr) {
          current->next = std::make_shared<Flight>(std::move(query), std::move(standing));
        }
        JoinNext(*current, waiter);
        break;
    }
    if (waiter->collapsed) stats_.collapsed.Add();
  }
  if (launch != nullptr) Launch(launch);
  return Ticket([this, waiter] { Leave(waiter); });
}

// `flight`: the one under way; null: there is none.
CachingSource::Way CachingSource::WayOf(const Flight* flight, absl::Duration max_age,
                                        const Standing& standing, absl::Time now) const {
  if (flight == nullptr) return Way::kLaunch;
  // Another replica's write may have made it void, of which nobody tells.
  const bool may_be_void = flight->outdated || options_.others_write;
  const bool is_young = max_age > absl::ZeroDuration() && flight->launched_at >= now - max_age;
  const bool counts = standing.Counts(flight->launched_at);
  return is_young && counts && !may_be_void ? Way::kJoin : Way::kAwaitNext;
}

// Neither kept nor shared. Its caller may leave it, as it has no other.
Ticket CachingSource::PassOn(Query query, Done done) {
  StandingPtr standing;
  {
    const Lock lock(mutex_);
    standing = standings_.Of(query.credential->partition(), query.account);
  }
  std::vector<Subject> outdated = query.outdates();
  std::shared_ptr<std::atomic<int>> sent = query.requests_sent;
  return inner_->Ask(std::move(query),
                     [this, standing = std::move(standing), outdated = std::move(outdated),
                      sent = std::move(sent), done = std::move(done)](Reply reply) mutable {
                       {
                         const Lock lock(mutex_);
                         Hear(reply, *standing, clock_.Now());
                       }
                       if (MayOutdate(*reply.outcome, sent == nullptr ? 1 : sent->load())) {
                         for (const Subject& subject : outdated) Forget(subject);
                       }
                       std::move(done)(std::move(reply));
                     });
}

void CachingSource::Forget(const Subject& subject) {
  const Lock lock(mutex_);
  ++forgotten_;
  for (const auto& [key, flight] : flights_) {
    if (key.subject() == subject) flight->outdated = true;
  }
  store_.Erase(subject);
}

// Asks those behind this one for what they have. It is no flight: others may want more than that.
Ticket CachingSource::AskCaches(Query query, StandingPtr standing, Done done) {
  const Key key = query.key();
  query.max_age = WithinStanding(query.max_age, *standing, clock_.Now());
  uint64_t forgotten = 0;
  {
    const Lock lock(mutex_);
    forgotten = forgotten_;
  }
  return inner_->Ask(std::move(query), [this, key, forgotten, standing = std::move(standing),
                                        done = std::move(done)](Reply reply) mutable {
    {
      const Lock lock(mutex_);
      const absl::Time now = clock_.Now();
      Hear(reply, *standing, now);
      if (IsFromACache(reply) && forgotten == forgotten_ && keeper_.MayKeep(*reply.outcome)) {
        const absl::Duration lifetime = keeper_.LifetimeOf(key, reply);
        reply.cache_status.ttl = keeper_.Keep(key, standing, reply.outcome, lifetime, now).ttl;
        reply.age = AgeOf(*reply.outcome, now);
      }
    }
    std::move(done)(std::move(reply));
  });
}

void CachingSource::Join(Flight& flight, const WaiterPtr& waiter) {
  // The first of a flight that is yet to be launched is the one who asks.
  waiter->collapsed = flight.is_launched() || !flight.waiters.empty();
  Charge(flight);
  flight.waited_until.Extend(waiter->deadline);
  waiter->flight = &flight;
  waiter->place = flight.waiters.insert(flight.waiters.end(), waiter);
}

// `flight.next` is there.
void CachingSource::JoinNext(Flight& flight, const WaiterPtr& waiter) {
  Flight& next = *flight.next;
  next.query.max_age = std::min(next.query.max_age, waiter->max_age);
  Join(next, waiter);
}

// Asks `inner_`. The answer may come before that returns. Nobody cancels it.
void CachingSource::Launch(const FlightPtr& flight) {
  Query query = flight->query;
  query.max_age = WithinStanding(query.max_age, *flight->standing, clock_.Now());
  query.deadline = absl::InfiniteFuture();
  query.latest_deadline = {flight, &flight->waited_until};
  query.requests_sent = {flight, &flight->requests_sent};
  inner_->Ask(std::move(query), [this, flight](Reply reply) { Land(flight, std::move(reply)); });
}

// What has been sent since the last time goes on the account of who has waited longest; what was
// sent while nobody waited, on nobody's.
void CachingSource::Charge(Flight& flight) {
  const int sent = flight.requests_sent.load();
  const int since_last_time = sent - std::exchange(flight.charged, sent);
  if (since_last_time == 0 || flight.waiters.empty()) return;
  const Waiter& first = *flight.waiters.front();
  if (first.requests_sent != nullptr) first.requests_sent->fetch_add(since_last_time);
}

void CachingSource::Land(const FlightPtr& flight, Reply reply) {
  std::vector<std::pair<Done, Reply>> answers;
  FlightPtr next;
  const Endpoint& endpoint = *flight->query.endpoint;
  std::vector<Part> parts;
  if (reply.outcome->ok() && endpoint.one != nullptr) parts = endpoint.parts(*reply.outcome);
  {
    const Lock lock(mutex_);
    const absl::Time now = clock_.Now();  // not before anybody who waits by now came
    Hear(reply, *flight->standing, now);
    Charge(*flight);
    if (!parts.empty()) {
      keeper_.KeepParts(endpoint, flight->key, flight->standing, flight->outdated, parts,
                        reply.outcome, now);
    }
    const absl::Duration lifetime =
        flight->outdated ? absl::ZeroDuration() : keeper_.LifetimeOf(flight->key, reply);
    const Keeping landed = {.as_of = reply.outcome->as_of,
                            .fresh_until = reply.outcome->as_of + lifetime,
                            .ok = reply.outcome->ok()};
    // Stored before the flight is gone, so that whoever finds no flight finds the outcome.
    const CacheStatus status =
        keeper_.Keep(flight->key, flight->standing, reply.outcome, lifetime, now);
    if (status.stored && endpoint.list != nullptr) {
      keeper_.PutListRight(endpoint, flight->key, flight->standing, *reply.outcome);
    }
    // RFC 9211, 2.5: said of what was forwarded. A hit behind this cache was not.
    if (keeper_.MayKeep(*reply.outcome)) {
      reply.cache_status.stored = status.stored && !IsFromACache(reply);
      reply.cache_status.ttl = status.ttl;
    }
    answers.reserve(flight->waiters.size());
    for (const WaiterPtr& waiter : std::exchange(flight->waiters, {})) {
      // Who came just when it was given up is there all the same.
      const bool ask_again = IsFromACache(reply)
                                 ? !WillDo(*waiter, *flight, landed, reply.cache_status, now)
                                 : IsGivenUp(reply) && now < waiter->deadline;
      if (ask_again) {
        if (flight->next == nullptr) {
          flight->next = std::make_shared<Flight>(flight->query, flight->standing);
          flight->next->query.background = false;
        }
        JoinNext(*flight, waiter);
        continue;
      }
      waiter->flight = nullptr;
      answers.emplace_back(std::move(waiter->done), ReplyTo(*waiter, reply, now));
    }
    next = Replace(flight);
  }
  if (next != nullptr) Launch(next);
  for (auto& [done, answer] : answers) std::move(done)(std::move(answer));
}

// Whether what another cache kept is an answer for this waiter, who may have come after the flight
// was launched. (What Cloudflare said just now always is.)
bool CachingSource::WillDo(const Waiter& waiter, const Flight& flight, const Keeping& landed,
                           const CacheStatus& status, absl::Time now) const {
  if (!flight.standing->Counts(landed.as_of)) return false;
  if (status.stale_if_error) {
    return ServesOnError(landed, waiter.max_age, options_.freshness, waiter.asked, now);
  }
  const Freshness freshness = FreshnessOf(landed, waiter.max_age, options_.freshness, waiter.asked);
  return freshness == Freshness::kFresh || freshness == Freshness::kStaleWhileRevalidate;
}

Reply CachingSource::ReplyTo(const Waiter& waiter, const Reply& landed, absl::Time now) {
  if (CallsForStale(*landed.outcome)) {
    if (std::optional<Reply> stale = StaleReplyTo(waiter, landed.outcome->http_status, now)) {
      return *std::move(stale);
    }
  }
  Reply reply = landed;
  reply.age = AgeOf(*landed.outcome, now);
  if (reply.cache_status.how != CacheStatus::How::kHit) {
    reply.cache_status.how = waiter.why;
    reply.cache_status.collapsed = waiter.collapsed;
  }
  return reply;
}

// What is kept, given to a caller whom nothing better can be given.
std::optional<Reply> CachingSource::StaleReplyTo(const Waiter& waiter, int forward_status,
                                                 absl::Time now) {
  std::optional<Kept> kept = store_.Peek(waiter.key);
  if (!kept.has_value() ||
      !ServesOnError(KeepingOf(*kept), waiter.max_age, options_.freshness, waiter.asked, now)) {
    return std::nullopt;
  }
  stats_.stale_if_error.Add();
  Reply reply = HitOf(*std::move(kept), now);
  reply.cache_status.how = waiter.why;
  reply.cache_status.collapsed = waiter.collapsed;
  reply.cache_status.stale_if_error = true;
  reply.cache_status.forward_status = forward_status;
  return reply;
}

void CachingSource::Leave(const WaiterPtr& waiter) {
  Done done;
  {
    const Lock lock(mutex_);
    if (waiter->flight == nullptr) return;  // `done` has run, or is about to
    const FlightPtr flight = waiter->flight->shared_from_this();
    waiter->flight = nullptr;
    done = std::move(waiter->done);
    Charge(*flight);
    flight->waiters.erase(waiter->place);
    if (flight->waiters.empty()) {
      flight->waited_until.Reset();
      // It is the one that would have come next, and no caller is left.
      if (!flight->is_launched()) flights_.find(flight->key)->second->next = nullptr;
    }
  }
  std::optional<Reply> stale = StaleReplyTo(*waiter, 0, clock_.Now());
  std::move(done)(stale.has_value() ? *std::move(stale) : CancelledReply());
}

// Ends `flight`, the one under way, which has landed. Returns the one to launch in its place, if
// somebody waits for it.
CachingSource::FlightPtr CachingSource::Replace(const FlightPtr& flight) {
  FlightPtr next = std::move(flight->next);
  if (next == nullptr) {
    flights_.erase(flight->key);
    return nullptr;
  }
  next->launched_at = clock_.Now();
  flights_[flight->key] = next;
  return next;
}

}  // namespace pcap_gateway
