#include "service/cache/caching_source.h"

#include <algorithm>
#include <utility>

namespace pcap_gateway {

// All fields but the first two: guarded by the source's mutex_.
struct CachingSource::Flight {
  Flight(Query query, Key key) : query(std::move(query)), key(key) {}

  Query query;  // of the one who caused it; moved from at the launch
  const Key key;
  absl::Time launched_at = absl::InfiniteFuture();
  bool over = false;  // landed, or left by all
  Ticket ticket;
  std::list<Waiter> waiters;
  FlightPtr next;  // launched when this one is over
};

CachingSource::CachingSource(std::unique_ptr<Source> inner, CacheOptions options,
                             const Clock& clock)
    : inner_(std::move(inner)), options_(options), clock_(clock), store_(options.most_bytes) {}

CachingSource::~CachingSource() = default;

std::optional<Reply> CachingSource::AtHand(const Query& query) {
  std::optional<Reply> reply = Look(query, clock_.Now()).reply;
  if (reply.has_value()) stats_.hits.Add();
  return reply;
}

CachingSource::Found CachingSource::Look(const Query& query, absl::Time now) {
  std::optional<Kept> kept = store_.Find(query.key());
  if (!kept.has_value()) return {.why_not = CacheStatus::How::kUriMiss};
  const absl::Time as_of = kept->outcome->as_of;
  switch (FreshnessOf(as_of, kept->fresh_until, query.max_age, now)) {
    case Freshness::kStale:
      return {.why_not = CacheStatus::How::kStale};
    case Freshness::kTooOldForCaller:
      return {.why_not = CacheStatus::How::kRequest};
    case Freshness::kFresh:
      break;
  }
  return {.reply =
              Reply{.outcome = std::move(kept->outcome),
                    .cache_status = {.how = CacheStatus::How::kHit, .ttl = kept->fresh_until - now},
                    .age = std::max(now - as_of, absl::ZeroDuration())}};
}

Ticket CachingSource::Ask(Query query, Done done) {
  const absl::Time now = clock_.Now();
  const Key key = query.key();
  FlightPtr flight;
  bool launch = false;
  std::list<Waiter>::iterator waiter;
  {
    std::unique_lock lock(mutex_);
    // A flight may have landed since the caller looked.
    Found found = Look(query, now);
    if (found.reply.has_value()) {
      lock.unlock();
      stats_.hits.Add();
      std::move(done)(*std::move(found.reply));
      return {};
    }
    FlightPtr& current = flights_[key];
    const absl::Time oldest_accepted = now - query.max_age;
    if (current == nullptr) {
      flight = current = std::make_shared<Flight>(std::move(query), key);
      flight->launched_at = now;
      launch = true;
    } else if (query.max_age > absl::ZeroDuration() && current->launched_at >= oldest_accepted) {
      flight = current;
    } else {
      if (current->next == nullptr) {
        current->next = std::make_shared<Flight>(std::move(query), key);
      }
      flight = current->next;
    }
    const bool collapsed = !flight->waiters.empty();
    stats_.misses.Add();
    if (collapsed) stats_.collapsed.Add();
    waiter = flight->waiters.insert(
        flight->waiters.end(),
        Waiter{.done = std::move(done), .why = found.why_not, .collapsed = collapsed});
  }
  if (launch) Launch(flight);
  return Ticket([this, flight, waiter] { Leave(flight, waiter); });
}

// Asks `inner_`. The answer, or everybody's leaving, may come before that returns.
void CachingSource::Launch(const FlightPtr& flight) {
  stats_.flights.Add();
  Query query = std::move(flight->query);
  query.max_age = absl::ZeroDuration();
  query.deadline = absl::InfiniteFuture();
  Ticket ticket =
      inner_->Ask(std::move(query), [this, flight](const Reply& reply) { Land(flight, reply); });
  {
    const std::lock_guard lock(mutex_);
    if (!flight->over) {
      flight->ticket = std::move(ticket);
      return;
    }
  }
  ticket.Cancel();
}

void CachingSource::Land(const FlightPtr& flight, const Reply& reply) {
  const absl::Duration lifetime = LifetimeOf(*reply.outcome, options_.freshness);
  CacheStatus status;
  std::list<Waiter> waiters;
  FlightPtr next;
  {
    const std::lock_guard lock(mutex_);
    // Everybody left. Who came after that has a flight of their own, and its newer outcome may be
    // stored already.
    if (flight->over) return;
    // Stored before the flight is gone, so that whoever finds no flight finds the outcome.
    if (lifetime > absl::ZeroDuration()) {
      const absl::Time fresh_until = reply.outcome->as_of + lifetime;
      status.stored = store_.Put(flight->key, {reply.outcome, fresh_until});
      if (status.stored) status.ttl = fresh_until - clock_.Now();
    }
    waiters.swap(flight->waiters);
    next = Replace(flight);
  }
  if (next != nullptr) Launch(next);
  for (Waiter& waiter : waiters) {
    Reply own = reply;
    own.cache_status = status;
    own.cache_status.how = waiter.why;
    own.cache_status.collapsed = waiter.collapsed;
    std::move(waiter.done)(std::move(own));
  }
}

void CachingSource::Leave(const FlightPtr& flight, std::list<Waiter>::iterator waiter) {
  Done done;
  Ticket ticket;
  FlightPtr next;
  {
    const std::lock_guard lock(mutex_);
    if (flight->over) return;  // `done` has run, or is about to
    done = std::move(waiter->done);
    flight->waiters.erase(waiter);
    if (flight->waiters.empty()) {
      const auto current = flights_.find(flight->key);
      if (current->second == flight) {
        ticket = std::move(flight->ticket);
        next = Replace(flight);
      } else {
        // It never started: it is the one that would have come next.
        current->second->next = nullptr;
        flight->over = true;
      }
    }
  }
  std::move(done)(FailedReply(
      Error(absl::StatusCode::kCancelled, Reason::kCancelled, "the call was cancelled")));
  ticket.Cancel();
  if (next != nullptr) Launch(next);
}

// Ends `flight`, the one under way. Returns the one to launch in its place, if somebody waits for
// it.
CachingSource::FlightPtr CachingSource::Replace(const FlightPtr& flight) {
  flight->over = true;
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
