#include "service/watch/round.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
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

Round::Round(const Surroundings& around, Id account, std::shared_ptr<const Credential> credential,
             Left left)
    : around_(around),
      account_(account),
      left_(std::move(left)),
      credential_(std::move(credential)) {
  around_.stats.rounds.fetch_add(1);
}

void Round::SetCredential(std::shared_ptr<const Credential> credential) {
  credential_ = std::move(credential);
  fresh_until_ = absl::InfinitePast();
}

void Round::Outdate() {
  void_before_ = around_.clock.Now();
  sightings_.ForgetPast();
  AskList(nullptr);
}

// --- who comes and goes

void Round::Join(const WatcherPtr& watcher) {
  const bool is_first = over();
  watcher->round = this;
  watcher->place = watchers_.insert(watchers_.end(), watcher);
  if (watcher->names_any()) {
    for (const Id& id : *watcher->query.resources) named_[id].insert(watcher.get());
  } else {
    of_account_.insert(watcher.get());
  }
  if (is_first && watcher->names_any()) return LookForKept(watcher);
  Admit(watcher);
}

// The last one's leaving ends the round.
void Round::Leave(Watcher& watcher) {
  watcher.round = nullptr;
  if (watcher.names_any()) {
    for (const Id& id : *watcher.query.resources) {
      const auto named = named_.find(id);
      named->second.erase(&watcher);
      if (named->second.empty()) named_.erase(named);
    }
  } else {
    of_account_.erase(&watcher);
  }
  watchers_.erase(watcher.place);
  left_(*this, watcher);
  if (!over()) return;
  around_.stats.rounds.fetch_sub(1);
  timer_.Cancel();
  list_ticket_.Cancel();
  for (auto& [id, get] : gets_) get.ticket.Cancel();
}

void Round::End(Watcher& watcher, Reply reply) {
  if (!watcher.done) return;
  // Theirs may be the last references, which Leave drops.
  const std::shared_ptr<Round> self = shared_from_this();
  const WatcherPtr kept = watcher.shared_from_this();
  Source::Done done = std::exchange(watcher.done, nullptr);
  Leave(watcher);
  watcher.each = nullptr;
  std::move(done)(std::move(reply));
}

void Round::EndAll(const Reply& reply) {
  while (!over()) End(*watchers_.front(), reply);
}

void Round::EndThoseOf(const Id& id, const Reply& reply) {
  const auto named = named_.find(id);
  if (named == named_.end()) return;
  std::vector<WatcherPtr> watchers;
  for (Watcher* const watcher : named->second) watchers.push_back(watcher->shared_from_this());
  const Reply with_name = WithName(reply, id);
  for (const WatcherPtr& watcher : watchers) End(*watcher, with_name);
}

// Where all that are named are kept as final, nothing has to be asked.
void Round::LookForKept(const WatcherPtr& watcher) {
  const auto left = std::make_shared<size_t>(watcher->query.resources->size());
  for (const Id& id : *watcher->query.resources) {
    Query query = QuestionOf(*around_.options.get, watcher.get());
    query.resource = id;
    query.only_if_cached = true;
    query.max_age = std::min(query.max_age, watcher->query.max_age);
    Ticket unused;
    Ask(std::move(query), &unused, [this, id, left, watcher](const Reply& reply) {
      if (reply.outcome->ok()) {
        for (const Part& part : around_.options.get->parts(*reply.outcome)) {
          sightings_.Learn(id, part.outcome, false);
        }
      }
      if (--*left > 0) return;
      Publish();
      if (watcher->done) Admit(watcher);
    });
  }
}

// Tells it what is known, or has it wait for the list that tells it.
void Round::Admit(const WatcherPtr& watcher) {
  const absl::Duration max_age = watcher->query.max_age;
  const absl::Time now = around_.clock.Now();
  const auto is_final = [&](const Id& id) {
    const Sighting* const sighting = sightings_.Find(id);
    return sighting != nullptr && sighting->is_final();
  };
  const bool needs_no_list =
      watcher->names_any() &&
      std::all_of(watcher->query.resources->begin(), watcher->query.resources->end(), is_final);
  // While lists fail, what is known is the best that there is.
  const bool is_good = now < fresh_until_ || failures_ > 0;
  const bool will_do = list_ != nullptr && is_good && !is_void() && !around_.options.others_write &&
                       max_age > absl::ZeroDuration() && now - list_->as_of <= max_age;
  if (needs_no_list || will_do) {
    Welcome(watcher);
    if (watcher->done) AskForMissing(watcher.get());
    return;
  }
  next_max_age_ = std::min(next_max_age_, max_age);
  if (!asking_) {
    watcher->waits_for = asked_ + 1;
    // Not before its time: what fails is not to be asked for by each who comes.
    if (failures_ == 0) AskList(watcher.get());
    return;
  }
  const bool is_too_early = around_.options.others_write || asked_at_ < void_before_ ||
                            max_age < absl::InfiniteDuration();
  again_ = again_ || is_too_early;
  watcher->waits_for = asked_ + (is_too_early ? 1 : 0);
}

// What was learnt has been published.
void Round::Welcome(const WatcherPtr& watcher) {
  watcher->welcome = true;
  watcher->told = publications_;
  if (!sightings_.all().empty()) watcher->each(sightings_.Look());
  if (!watcher->names_any()) return;
  watcher->moving = 0;
  for (const Id& id : *watcher->query.resources) {
    const Sighting* const sighting = sightings_.Find(id);
    if (sighting == nullptr || !sighting->is_final()) ++watcher->moving;
  }
  if (watcher->moving == 0) End(*watcher, AllFinal(around_.clock.Now()));
}

// Those who wait for this list, or an earlier one.
void Round::WelcomeThoseWho(uint64_t wait_for) {
  std::vector<WatcherPtr> waiting;
  for (const WatcherPtr& watcher : watchers_) {
    const bool waits = !watcher->welcome && watcher->waits_for > 0;
    if (waits && watcher->waits_for <= wait_for) waiting.push_back(watcher);
  }
  for (const WatcherPtr& watcher : waiting) Welcome(watcher);
}

// --- questions

// Asked by the `cause`, or by each of the watchers in turn: each pays its part, and has its part of
// the budget.
Query Round::QuestionOf(const Endpoint& endpoint, const Watcher* cause) {
  Query query;
  query.endpoint = &endpoint;
  query.credential = credential_;
  query.account = account_;
  if (void_before_ != absl::InfinitePast()) {
    query.max_age = around_.clock.Now() - void_before_;
  }
  if (cause == nullptr) {
    cause = watchers_.front().get();
    watchers_.splice(watchers_.end(), watchers_, watchers_.begin());
  } else {
    query.trace = cause->query.trace;
  }
  query.caller = cause->query.caller;
  query.requests_sent = cause->query.requests_sent;
  return query;
}

// `then` runs in a turn of its own, while the round is not over.
void Round::Ask(Query query, Ticket* ticket, Then then) {
  *ticket = around_.source.Ask(std::move(query), [&loop = around_.loop, weak = weak_from_this(),
                                                  then = std::move(then)](Reply reply) mutable {
    loop.Post([weak = std::move(weak), then = std::move(then), reply = std::move(reply)] {
      const std::shared_ptr<Round> round = weak.lock();
      if (round != nullptr && !round->over()) then(reply);
    });
  });
}

void Round::AskList(const Watcher* cause) {
  if (asking_) return;
  timer_.Cancel();
  asking_ = true;
  again_ = false;
  asked_at_ = around_.clock.Now();
  ++asked_;
  around_.stats.asked.Add();
  Query query = QuestionOf(*around_.options.list, cause);
  query.max_age = std::min(query.max_age, std::exchange(next_max_age_, absl::InfiniteDuration()));
  Ask(std::move(query), &list_ticket_,
      [this, with = credential_](const Reply& reply) { Listed(with, reply); });
}

void Round::Listed(const std::shared_ptr<const Credential>& with, const Reply& reply) {
  asking_ = false;
  list_ticket_ = Ticket();
  const bool is_of_before = with != credential_ || asked_at_ < void_before_;
  if (is_of_before) return AskList(nullptr);
  if (!reply.outcome->ok()) return ListFailed(reply);

  const absl::Time now = around_.clock.Now();
  heard_since_ = asked_at_;
  if (reply.cache_status.stale_if_error) {
    ++failures_;
    around_.stats.failed.Add();
    fresh_until_ = now;
    AskAgainIn(RetryAfter(*reply.outcome, failures_));
  } else {
    failures_ = 0;
    const absl::Duration ttl = reply.cache_status.ttl.value_or(absl::ZeroDuration());
    const absl::Duration lifetime = LifetimeOf(*reply.outcome, around_.options.freshness);
    fresh_until_ = ttl > absl::ZeroDuration() ? now + ttl : reply.outcome->as_of + lifetime;
    AskAgainIn(lifetime > absl::ZeroDuration() ? std::max(fresh_until_ - now, kShortestPause)
                                               : kFirstRetry);
  }
  LearnList(reply.outcome);
  Publish();
  WelcomeThoseWho(asked_);
  if (over()) return;
  AskForMissing(nullptr);
  if (again_) AskList(nullptr);
}

void Round::LearnList(const OutcomePtr& list) {
  const bool is_same = list_ != nullptr && list_->message == list->message;
  list_ = list;
  if (is_same) return;
  sightings_.BeginList();
  for (const Part& part : around_.options.list->parts(*list)) {
    // What has no name cannot be told from the next one.
    if (part.resource == Id()) continue;
    sightings_.Learn(part.resource, part.outcome, true);
  }
  Trim();
}

void Round::Trim() {
  sightings_.Trim([&](const Id& id) { return named_.contains(id); });
}

void Round::ListFailed(const Reply& reply) {
  around_.stats.failed.Add();
  if (!MayPass(*reply.outcome)) return EndAll(reply);
  ++failures_;
  AskAgainIn(RetryAfter(*reply.outcome, failures_));
  if (!around_.options.others_write && !is_void()) WelcomeThoseWho(asked_);
  if (!over()) AskForMissing(nullptr);
}

void Round::AskAgainIn(absl::Duration delay) {
  timer_.Cancel();
  timer_ = around_.loop.After(delay, [weak = weak_from_this()] {
    const std::shared_ptr<Round> round = weak.lock();
    if (round == nullptr || round->over()) return;
    round->timer_ = Ticket();
    round->AskList(nullptr);
  });
}

// Those that were named and that the latest list does not have; and such as it once had, while they
// move. `newcomer`: only its own that nobody knows; null: everybody's.
void Round::AskForMissing(const Watcher* newcomer) {
  const bool unknown_only = newcomer != nullptr || failures_ > 0;
  const auto want = [&](const Id& id) {
    const Sighting* const sighting = sightings_.Find(id);
    const bool is_wanted =
        sighting == nullptr || (!unknown_only && !sighting->in_list && !sighting->is_final());
    if (is_wanted && gets_.try_emplace(id).second) next_gets_.push_back(id);
  };
  if (newcomer != nullptr) {
    if (newcomer->names_any()) {
      for (const Id& id : *newcomer->query.resources) want(id);
    }
  } else {
    for (const auto& [id, watchers] : named_) want(id);
    if (!of_account_.empty()) {
      for (const auto& [id, sighting] : sightings_.all()) {
        if (sighting.listed > 0) want(id);
      }
    }
  }
  AskNext();
}

void Round::AskNext() {
  while (gets_under_way_ < kMostGets && !next_gets_.empty()) {
    const Id id = next_gets_.front();
    next_gets_.pop_front();
    const auto named = named_.find(id);
    const bool is_named = named != named_.end();
    const Sighting* const sighting = sightings_.Find(id);
    const bool is_known = sighting != nullptr && (sighting->in_list || sighting->is_final());
    if (is_known || (!is_named && of_account_.empty())) {
      gets_.erase(id);
      continue;
    }
    ++gets_under_way_;
    Get& get = gets_[id];
    get.asked_at = around_.clock.Now();
    Query query = QuestionOf(*around_.options.get, is_named ? *named->second.begin() : nullptr);
    query.resource = id;
    Ask(std::move(query), &get.ticket,
        [this, id, with = credential_](const Reply& reply) { Got(id, with, reply); });
  }
}

void Round::Got(const Id& id, const std::shared_ptr<const Credential>& with, const Reply& reply) {
  const absl::Time asked_at = gets_[id].asked_at;
  gets_.erase(id);
  --gets_under_way_;
  const Outcome& outcome = *reply.outcome;
  if (with != credential_ || asked_at < void_before_) {
    gets_.try_emplace(id);
    next_gets_.push_back(id);
  } else if (outcome.ok()) {
    for (const Part& part : around_.options.get->parts(outcome)) {
      sightings_.Learn(id, part.outcome, false);
    }
    Publish();
    Trim();
  } else if (outcome.error->denies != Denies::kNothing) {
    return EndAll(reply);
  } else if (!MayPass(outcome)) {
    sightings_.Forget(id);
    EndThoseOf(id, reply);
  }
  if (!over()) AskNext();
}

// --- news

// Tells those whom it concerns what was learnt since the last time.
void Round::Publish() {
  const std::vector<Sightings::Change> changes = sightings_.TakeChanges();
  if (changes.empty()) return;
  ++publications_;
  std::vector<WatcherPtr> concerned;
  const auto concern = [&](Watcher* watcher) {
    if (!watcher->welcome || watcher->told == publications_) return;
    watcher->told = publications_;
    concerned.push_back(watcher->shared_from_this());
  };
  bool concerns_account = false;
  for (const Sightings::Change& change : changes) {
    around_.stats.changes.Add();
    const Sighting* const sighting = sightings_.Find(change.id);
    concerns_account = concerns_account || (sighting != nullptr && sighting->listed > 0);
    const auto named = named_.find(change.id);
    if (named == named_.end()) continue;
    for (Watcher* const watcher : named->second) {
      concern(watcher);
      if (watcher->welcome && change.ended) --watcher->moving;
    }
  }
  if (concerns_account) {
    for (Watcher* const watcher : of_account_) concern(watcher);
  }
  const View view = sightings_.Look();
  for (const WatcherPtr& watcher : concerned) {
    watcher->each(view);
    if (watcher->names_any() && watcher->moving == 0) End(*watcher, AllFinal(around_.clock.Now()));
  }
}

}  // namespace pcap_gateway
