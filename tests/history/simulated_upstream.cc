#include "tests/history/simulated_upstream.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/support/fake_source.h"

namespace pcap_gateway {
namespace {

// Of one answer, and of the versions of a capture before its last.
constexpr absl::Duration kLongestAnswer = absl::Milliseconds(2);
constexpr double kComesToItsEnd = 0.15;  // with each answer

OutcomePtr Failure(absl::Time as_of, absl::StatusCode code, Reason reason, int http_status,
                   int64_t number, Denies denies = Denies::kNothing) {
  Error error(code, reason, "simulated");
  error.denies = denies;
  error.metadata.emplace_back("exchange", absl::StrCat(number));
  return MakeFailure(as_of, std::move(error), http_status);
}

}  // namespace

struct SimulatedUpstream::Connection final : Source {
  Connection(SimulatedUpstream& upstream, int gateway) : upstream(upstream), gateway(gateway) {}

  std::optional<Reply> AtHand(const Query&) override { return std::nullopt; }
  Ticket Ask(Query query, Done done) override {
    if (query.only_if_cached) {
      Error error(absl::StatusCode::kFailedPrecondition, Reason::kNotCached, "not cached");
      std::move(done)(FailedReply(std::move(error)));
      return Ticket();
    }
    return upstream.Ask(std::move(query), gateway, std::move(done));
  }

  SimulatedUpstream& upstream;
  const int gateway;
};

struct SimulatedUpstream::Tapped final : Source {
  Tapped(SimulatedUpstream& upstream, std::unique_ptr<Source> inner, int gateway)
      : upstream(upstream), inner(std::move(inner)), gateway(gateway) {}

  std::optional<Reply> AtHand(const Query& query) override { return inner->AtHand(query); }
  Ticket Ask(Query query, Done done) override {
    return inner->Ask(std::move(query), [this, done = std::move(done)](Reply reply) mutable {
      const OutcomePtr outcome = reply.outcome;
      std::move(done)(std::move(reply));
      upstream.NoteEnd(*outcome, gateway);
    });
  }

  SimulatedUpstream& upstream;
  const std::unique_ptr<Source> inner;
  const int gateway;
};

SimulatedUpstream::SimulatedUpstream(uint64_t seed, const Clock& clock,
                                     std::function<Faults(const Key&)> faults)
    : clock_(clock), faults_(std::move(faults)), random_(seed), thread_([this] { Serve(); }) {}

void SimulatedUpstream::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<Source> SimulatedUpstream::Connect(int gateway) {
  return std::make_unique<Connection>(*this, gateway);
}

std::unique_ptr<Source> SimulatedUpstream::Tap(std::unique_ptr<Source> inner, int gateway) {
  return std::make_unique<Tapped>(*this, std::move(inner), gateway);
}

void SimulatedUpstream::NoteEnd(const Outcome& outcome, int gateway) {
  const int64_t number = NumberOf(outcome);
  if (number < 0) return;
  const std::lock_guard lock(mutex_);
  Exchange& exchange = exchanges_[number];
  const absl::Time now = clock_.Now();
  exchange.ended = std::min(exchange.ended, now);
  if (exchange.denies == Denies::kNothing) return;
  denials_[{gateway, exchange.key.partition}].push_back(
      {.key = exchange.key, .denies = exchange.denies, .made = exchange.answered, .heard = now});
}

int64_t SimulatedUpstream::NumberOf(const Outcome& outcome) {
  int64_t number = -1;
  if (outcome.ok()) {
    (void)absl::SimpleAtoi(outcome.message, &number);
  } else if (!outcome.error->metadata.empty()) {
    (void)absl::SimpleAtoi(outcome.error->metadata[0].second, &number);
  }
  return number;
}

Exchange SimulatedUpstream::exchange(int64_t number) const {
  const std::lock_guard lock(mutex_);
  return exchanges_.at(number);
}

std::vector<Exchange> SimulatedUpstream::all() const {
  const std::lock_guard lock(mutex_);
  return exchanges_;
}

int64_t SimulatedUpstream::exchanges() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(exchanges_.size());
}

absl::Time SimulatedUpstream::LatestAnswered(const Key& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = captures_.find(key);
  return found == captures_.end() ? absl::InfinitePast() : found->second.latest_answered;
}

bool SimulatedUpstream::WasDenied(const Key& key) const {
  const std::lock_guard lock(mutex_);
  return denied_.contains(key.partition);
}

absl::Time SimulatedUpstream::LatestDenial(const Key& key, int gateway, absl::Time then) const {
  const std::lock_guard lock(mutex_);
  absl::Time latest = absl::InfinitePast();
  const auto found = denials_.find({gateway, key.partition});
  if (found == denials_.end()) return latest;
  for (const Denial& denial : found->second) {
    const bool concerns = denial.denies == Denies::kEverything || denial.key.account == key.account;
    if (concerns && denial.heard < then) latest = std::max(latest, denial.made);
  }
  return latest;
}

Ticket SimulatedUpstream::Ask(Query query, int gateway, Source::Done done) {
  int64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = static_cast<int64_t>(exchanges_.size());
    const Key key = AskedFor(query);
    const absl::Time now = clock_.Now();
    exchanges_.push_back({.key = key, .began = now, .gateway = gateway});
    if (query.body != nullptr) exchanges_.back().written = *query.body;
    if (query.requests_sent != nullptr) query.requests_sent->fetch_add(1);
    absl::Duration takes = kLongestAnswer * std::uniform_real_distribution<double>(0, 1)(random_);
    if (Happens(faults_(key).stalled)) takes *= 10;
    due_.emplace(now + takes, number);
    pending_.emplace(number, std::move(done));
  }
  changed_.notify_all();
  if (query.body != nullptr) return Ticket();  // it has been sent, and cannot be taken back
  return Ticket([this, number] { Finish(number, /*cancelled=*/true); });
}

void SimulatedUpstream::Serve() {
  std::unique_lock lock(mutex_);
  while (!(stopping_ && due_.empty())) {
    if (due_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto [at, number] = due_.top();
    const absl::Duration left = at - clock_.Now();
    if (left > absl::ZeroDuration() && !stopping_) {
      changed_.wait_for(lock, absl::ToChronoNanoseconds(left));
      continue;
    }
    due_.pop();
    lock.unlock();
    Finish(number, /*cancelled=*/false);
    lock.lock();
  }
}

void SimulatedUpstream::Finish(int64_t number, bool cancelled) {
  Source::Done done;
  OutcomePtr outcome;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(number);
    if (found == pending_.end()) return;
    done = std::move(found->second);
    pending_.erase(found);
    outcome = cancelled ? Failure(exchanges_[number].began, absl::StatusCode::kCancelled,
                                  Reason::kCancelled, 0, number)
                        : Answer(number);
  }
  std::move(done)({.outcome = std::move(outcome)});
}

OutcomePtr SimulatedUpstream::Answer(int64_t number) {
  Exchange& exchange = exchanges_[number];
  const absl::Time as_of = exchange.began;
  exchange.answered = clock_.Now();
  const Faults faults = faults_(exchange.key);
  if (Happens(faults.unavailable)) {
    return Failure(as_of, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503,
                   number);
  }
  if (Happens(faults.not_found)) {
    return Failure(as_of, absl::StatusCode::kNotFound, Reason::kPcapNotFound, 404, number);
  }
  if (Happens(faults.unauthorized)) {
    exchange.denies = Denies::kEverything;
    denied_.insert(exchange.key.partition);
    return Failure(as_of, absl::StatusCode::kUnauthenticated, Reason::kUpstreamUnauthenticated, 401,
                   number, exchange.denies);
  }
  if (Happens(faults.forbidden)) {
    exchange.denies = Denies::kAccount;
    denied_.insert(exchange.key.partition);
    return Failure(as_of, absl::StatusCode::kPermissionDenied, Reason::kUpstreamPermissionDenied,
                   403, number, exchange.denies);
  }
  exchange.changed = !exchange.written.empty();
  if (exchange.changed && Happens(faults.lost)) {
    return Failure(as_of, absl::StatusCode::kUnknown, Reason::kOutcomeUnknown, 0, number);
  }
  Capture& capture = captures_[exchange.key];
  capture.final = !faults.never_ends && (capture.final || Happens(kComesToItsEnd));
  exchange.ok = true;
  if (capture.final && !Happens(faults.lagging)) exchange.stage = Stage::kFinal;
  capture.latest_answered = std::max(capture.latest_answered, as_of);
  return MakeOutcome(as_of, absl::StrCat(number), exchange.stage);
}

bool SimulatedUpstream::Happens(double chance) {
  return std::uniform_real_distribution<double>(0, 1)(random_) < chance;
}

}  // namespace pcap_gateway
