#include "service/shared/shared_source.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/freshness/succession.h"
#include "service/shared/redis_names.h"
#include "service/shared/shared_entry.h"
#include "service/shared/shared_standing.h"
#include "service/source/cancelled.h"

namespace pcap_gateway {
namespace {

using Kind = RedisReply::Kind;

// How often a replica that waits looks whether the entry has come.
constexpr absl::Duration kFirstPause = absl::Milliseconds(5);
constexpr absl::Duration kLongestPause = absl::Milliseconds(50);

// The last byte that an entry or a standing may have, and one more, by which one that is too long
// is known.
const std::string kLastByte = absl::StrCat(kMostEntryBytes);
const std::string kLastStandingByte = "256";
const std::string kLastTimeByte = "20";

// KEYS: entry, lock, its two standings. ARGV: value, lifetime in ms, mark, token, values of the
// standings if there are none yet, their lifetime in ms, last byte to read. Stores the value, and
// gives 1; but where it would take a final one's place, gives that back. Gives up the lock in any
// case. What has another type than it should is not ours.
constexpr absl::string_view kStore = R"(
local result = 1
if ARGV[3] == 'M' and redis.pcall('GETRANGE', KEYS[1], 0, 0) == 'F' then
  result = redis.call('GETRANGE', KEYS[1], 0, ARGV[8])
else
  local set = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  if set.err then result = set end
  for i = 3, set.err and 0 or 4 do
    if type(redis.pcall('GETRANGE', KEYS[i], 0, 0)) ~= 'string' then redis.call('DEL', KEYS[i]) end
    if not redis.call('SET', KEYS[i], ARGV[i + 2], 'NX', 'PX', ARGV[7]) then
      redis.call('PEXPIRE', KEYS[i], ARGV[7])
    end
  end
end
if redis.pcall('GET', KEYS[2]) == ARGV[4] then redis.call('DEL', KEYS[2]) end
return result)";

// KEYS: lock. ARGV: token.
constexpr absl::string_view kUnlock =
    "if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end";

// How long Redis keeps entries at most that a write may outdate: what is final stays true.
absl::Duration LongestMovingOf(const FreshnessPolicy& policy) {
  return std::max(
             {policy.moving_lifetime, policy.longest_moving_lifetime, policy.not_found_lifetime}) +
         policy.stale_if_error;
}

// The same of all entries.
absl::Duration LongestOf(const FreshnessPolicy& policy) {
  return std::max(policy.final_lifetime + policy.stale_if_error, LongestMovingOf(policy));
}

}  // namespace

// The loop's thread only, once it is posted there.
struct SharedSource::Question {
  Query query;
  Done done;  // empty: answered
  // Where nobody above says until when somebody waits: until this caller leaves. Else null.
  std::shared_ptr<LatestDeadline> waited_until;
  absl::Time asked;
  std::string name;
  std::string lock_name;
  std::string written_name;
  // Of one that is passed on: what it outdates, the one below, and that its caller has left.
  std::vector<OutdatedEntry> outdates;
  Ticket passed;
  bool left = false;
  SharedDenials::StandingsPtr standings;  // not null once Redis was looked into
  std::string token;                      // of the lock; empty: it was not asked for
  bool waited = false;
  absl::Duration pause = kFirstPause;
  // When Redis was looked into last; absent: it could not be.
  std::optional<RedisTime> looked_at;
  // What was asked for before then, by Redis' clock, is void; and the same by ours.
  absl::Time void_before = absl::InfinitePast();
  Denied denied;
  // What it holds, as of our clock; no outcome: nothing.
  OutcomePtr kept;
  absl::Time fresh_until;

  Keeping keeping() const {
    return {.as_of = kept->as_of, .fresh_until = fresh_until, .ok = kept->ok()};
  }
};

SharedSource::SharedSource(std::unique_ptr<Source> inner, std::shared_ptr<RedisClient> redis,
                           SharedOptions options, const Clock& clock)
    : inner_(std::move(inner)),
      redis_(std::move(redis)),
      loop_(redis_->loop()),
      options_(std::move(options)),
      clock_(clock),
      standing_lifetime_(LongestOf(options_.freshness)),
      instance_(RandomName()),
      denials_(*redis_, clock_, stats_.corrupt),
      outdated_(*redis_, clock_, LongestMovingOf(options_.freshness)) {}

SharedSource::~SharedSource() = default;

void SharedSource::Stop() {
  redis_->Stop();
  redis_->loop().Run([this] {
    for (const QuestionPtr& question : std::exchange(waiting_, {})) Look(question);
  });
}

Ticket SharedSource::Ask(Query query, Done done) {
  auto question = std::make_shared<Question>();
  question->asked = clock_.Now();
  if (!query.may_be_kept()) {
    question->query = std::move(query);
    question->done = std::move(done);
    return PassOn(question);
  }
  question->name = EntryName(query, options_.variant);
  question->lock_name = absl::StrCat(question->name, ":lock");
  question->written_name = WrittenName(query.subject(), options_.variant);
  if (query.latest_deadline == nullptr) {
    question->waited_until = std::make_shared<LatestDeadline>(query.deadline);
    query.latest_deadline = question->waited_until;
    query.deadline = absl::InfiniteFuture();
  }
  question->query = std::move(query);
  question->done = std::move(done);
  RunOn(loop_, [this, question] { Look(question); });
  return Ticket([this, question] { RunOn(loop_, [this, question] { Cancel(question); }); });
}

// Redis is no need for it either: what could not be told there is not waited for.
Ticket SharedSource::PassOn(const QuestionPtr& question) {
  const Query& query = question->query;
  for (const Subject& subject : query.outdates()) {
    question->outdates.push_back({EntryName(*query.credential, subject, options_.variant),
                                  WrittenName(subject, options_.variant)});
  }
  RunOn(loop_, [this, question] {
    outdated_.Outdate(question->outdates, kWriting, [this, question] { Pass(question); });
  });
  return Ticket([this, question] {
    RunOn(loop_, [question] {
      question->left = true;
      question->passed.Cancel();
    });
  });
}

void SharedSource::Pass(const QuestionPtr& question) {
  if (question->left) return Passed(question, CancelledReply());
  Ticket ticket = inner_->Ask(question->query, [this, question](const Reply& reply) {
    RunOn(loop_, [this, question, reply] { Passed(question, reply); });
  });
  if (question->done) question->passed = std::move(ticket);
}

// It is over, or was not sent: it outdates nothing that is asked for from now on.
void SharedSource::Passed(const QuestionPtr& question, const Reply& reply) {
  outdated_.Outdate(question->outdates, absl::ZeroDuration(),
                    [this, question, reply] { Landed(question, reply); });
}

void SharedSource::Look(const QuestionPtr& question) {
  if (question->query.is_abandoned()) return GiveUp(*question);
  if (question->standings == nullptr) question->standings = denials_.Of(question->query);
  LookWith(question, std::make_shared<Locked>(Locked::kUnasked));
}

// `locked`: what a command sent before finds out.
void SharedSource::LookWith(const QuestionPtr& question, const std::shared_ptr<Locked>& locked) {
  // Taken before Redis can be at it: what it says of an age was true then or later.
  const absl::Time sent_at = clock_.Now();
  // The entry first: what is read after it denies rather more.
  auto looks = std::make_shared<Looks>();
  Read(question->name, kLastByte, looks, &Looks::entry);
  Read(question->standings->credential.name, kLastStandingByte, looks, &Looks::credential);
  Read(question->standings->account.name, kLastStandingByte, looks, &Looks::account);
  Read(question->written_name, kLastTimeByte, looks, &Looks::written);
  redis_->Send({"TIME"}, [=, this](const std::optional<RedisReply>& time) {
    Looked(question, *looks, RedisTimeFrom(time, sent_at), *locked);
  });
}

// Into the place of `looks`. What has another type than it should is not ours, or what a lie
// left: it goes, and was not there.
void SharedSource::Read(const std::string& name, const std::string& last_byte,
                        const std::shared_ptr<Looks>& looks,
                        std::optional<std::string> Looks::* place) {
  redis_->Send({"GETRANGE", name, "0", last_byte}, [this, name, looks,
                                                    place](const std::optional<RedisReply>& reply) {
    if (!reply.has_value()) return;
    if (reply->kind == Kind::kText) {
      (*looks).*place = reply->text;
    } else if (reply->kind == Kind::kError && absl::StartsWith(reply->text, "WRONGTYPE")) {
      stats_.corrupt.Add();
      redis_->Send({"DEL", name}, kIgnoreReply);
      (*looks).*place = "";
    }
  });
}

void SharedSource::Looked(const QuestionPtr& question, const Looks& looks,
                          const std::optional<RedisTime>& time, Locked locked) {
  question->looked_at = time;
  question->kept = nullptr;
  const bool replied = looks.entry.has_value() && looks.credential.has_value() &&
                       looks.account.has_value() && looks.written.has_value();
  if (!replied || !time.has_value()) return AskInner(question);
  const SharedDenials::Word word = denials_.Read(*question->standings, question->query.credential,
                                                 *looks.credential, *looks.account, *time);
  Denied& denied = question->denied;
  denied.everything = std::max(denied.everything, word.denied.everything);
  denied.account = std::max(denied.account, word.denied.account);
  const absl::Time outdated = outdated_.CountsSince(question->written_name, *looks.written, *time);
  question->void_before = std::max(word.void_before, outdated);
  const absl::Time since = std::max(word.since, outdated);
  if (!looks.entry->empty()) Open(*question, *looks.entry, since, *time);
  const absl::Time now = clock_.Now();
  denials_.TellUntold(*time);
  outdated_.TellUntold();

  if (IsHit(*question, now)) {
    stats_.hits.Add();
    // By Redis' clock it counts, and the network's delays are not to make it seem void.
    denied.everything = std::min(denied.everything, question->kept->as_of);
    denied.account = std::min(denied.account, question->kept->as_of);
    if (locked == Locked::kYes) Unlock(*question);
    return Answer(*question,
                  Reply{.outcome = question->kept,
                        .cache_status = {.how = CacheStatus::How::kHit,
                                         .shared = true,
                                         .ttl = question->fresh_until - now},
                        .age = std::max(now - question->kept->as_of, absl::ZeroDuration())});
  }
  const bool alone =
      question->query.only_if_cached || question->query.max_age <= absl::ZeroDuration();
  if (now - question->asked > options_.lock_time) {
    // A lock ends by itself before that, or is another one by now. One that never ends would hold
    // up everybody.
    if (question->waited) redis_->Send({"DEL", question->lock_name}, kIgnoreReply);
    return AskInner(question);
  }
  if (alone) return AskInner(question);
  switch (locked) {
    case Locked::kUnasked:
      return Lock(question);
    case Locked::kNo:
      return Wait(question);
    case Locked::kYes:
      return AskInner(question);
  }
}

// Reads what Redis holds. A clock of Redis' that was set back makes entries from the future, of
// which nobody can say how old they are. What is void goes, too: it is not to keep others out.
void SharedSource::Open(Question& question, const std::string& value, absl::Time since,
                        const RedisTime& time) {
  std::optional<SharedEntry> entry = OpenedEntry(value, question.name, *question.query.credential,
                                                 question.query.endpoint->not_found);
  const bool sound = entry.has_value() && entry->outcome->as_of <= time.now;
  if (!sound) stats_.corrupt.Add();
  if (!sound || entry->outcome->as_of < since) {
    redis_->Send({"DEL", question.name}, kIgnoreReply);
    return;
  }
  entry->outcome->as_of = time.ByUs(entry->outcome->as_of);
  question.fresh_until = entry->outcome->as_of + entry->lifetime;
  question.kept = std::move(entry->outcome);
}

bool SharedSource::IsHit(const Question& question, absl::Time now) const {
  return question.kept != nullptr && FreshnessOf(question.keeping(), question.query.max_age,
                                                 options_.freshness, now) == Freshness::kFresh;
}

void SharedSource::Lock(const QuestionPtr& question) {
  if (question->token.empty()) question->token = absl::StrCat(instance_, "-", next_token_++);
  const std::string milliseconds = MillisecondsOf(options_.lock_time);
  const auto locked = std::make_shared<Locked>(Locked::kYes);
  redis_->Send({"SET", question->lock_name, question->token, "NX", "PX", milliseconds},
               [locked](const std::optional<RedisReply>& reply) {
                 const bool taken = reply.has_value() && reply->kind == Kind::kNil;
                 *locked = taken ? Locked::kNo : Locked::kYes;
               });
  // Who had it may have stored an answer and given it back since the last look.
  LookWith(question, locked);
}

void SharedSource::Wait(const QuestionPtr& question) {
  if (!std::exchange(question->waited, true)) stats_.waits.Add();
  waiting_.insert(question);
  loop_.After(question->pause, [=, this] {
    if (waiting_.erase(question) > 0) Look(question);
  });
  question->pause = std::min(2 * question->pause, kLongestPause);
}

void SharedSource::AskInner(const QuestionPtr& question) {
  if (question->query.is_abandoned()) return GiveUp(*question);
  if (question->looked_at.has_value()) stats_.misses.Add();
  inner_->Ask(question->query, [this, question](Reply reply) {
    RunOn(loop_, [this, question, reply = std::move(reply)]() mutable {
      Landed(question, std::move(reply));
    });
  });
}

// Nobody waits any more, and nothing was asked upstream.
void SharedSource::GiveUp(Question& question) {
  Unlock(question);
  Answer(question, CancelledReply());
}

void SharedSource::Landed(const QuestionPtr& question, Reply reply) {
  const absl::Time now = clock_.Now();
  const Outcome& outcome = *reply.outcome;
  if (question->looked_at.has_value()) {
    reply.cache_status.how = question->kept == nullptr     ? CacheStatus::How::kUriMiss
                             : now < question->fresh_until ? CacheStatus::How::kRequest
                                                           : CacheStatus::How::kStale;
    const absl::Duration longest = LifetimeOf(outcome, options_.freshness);
    if (longest > absl::ZeroDuration()) {
      return Store(question, std::move(reply), longest, *question->looked_at);
    }
  }
  Unlock(*question);
  if (DeniedBy(outcome) != Denies::kNothing) return Deny(question, std::move(reply));
  if (question->kept != nullptr && CallsForStale(outcome) &&
      ServesOnError(question->keeping(), question->query.max_age, options_.freshness,
                    question->asked, now)) {
    stats_.stale_if_error.Add();
    reply.cache_status.stale_if_error = true;
    reply.cache_status.forward_status = outcome.http_status;
    reply.cache_status.ttl = question->fresh_until - now;
    reply.outcome = question->kept;
    reply.age = std::max(now - question->kept->as_of, absl::ZeroDuration());
  }
  Answer(*question, std::move(reply));
}

// Makes void what Redis has held so far. Callers hear of the denial after Redis.
void SharedSource::Deny(const QuestionPtr& question, Reply reply) {
  if (question->standings == nullptr) question->standings = denials_.Of(question->query);
  const bool everything = DeniedBy(*reply.outcome) == Denies::kEverything;
  const std::shared_ptr<void> told(
      nullptr, [=, this, reply = std::move(reply)](void*) { Answer(*question, reply); });
  denials_.Deny(*question->standings, question->query.credential, everything, told);
}

// Gives the others what was learnt, and the lock back. The asker hears of it once Redis has said
// that it took it, or that somebody knows better.
void SharedSource::Store(const QuestionPtr& question, Reply reply, absl::Duration longest,
                         const RedisTime& time) {
  if (question->kept != nullptr && FallsBehind(*reply.outcome, *question->kept)) {
    reply.outcome = Confirmed(*question->kept, *reply.outcome);
    longest = LifetimeOf(*reply.outcome, options_.freshness);
    stats_.confirmed.Add();
  }
  const Outcome& outcome = *reply.outcome;
  const uint64_t seed = absl::HashOf(question->name, absl::ToUnixNanos(outcome.as_of));
  const absl::Duration lifetime = WithJitter(longest, options_.freshness, seed);
  const absl::Duration kept_for =
      lifetime + (outcome.ok() ? options_.freshness.stale_if_error : absl::ZeroDuration());
  const std::string value =
      SealedEntry(outcome, time.now, lifetime, question->name, *question->query.credential);
  const SharedDenials::Known* const standings[] = {&question->standings->credential,
                                                   &question->standings->account};
  std::string since[2];
  for (int i = 0; i < 2; ++i) {
    since[i] = SealedStanding({.since = time.now, .denied = false}, standings[i]->name,
                              *question->query.credential);
  }
  const absl::Time fresh_until = outcome.as_of + lifetime;
  const auto looks = std::make_shared<Looks>();
  Read(question->written_name, kLastTimeByte, looks, &Looks::written);
  redis_->Send(
      {"EVAL", kStore, "4", question->name, question->lock_name, standings[0]->name,
       standings[1]->name, value, MillisecondsOf(kept_for), absl::string_view(value).substr(0, 1),
       question->token, since[0], since[1], MillisecondsOf(standing_lifetime_), kLastByte},
      [=, this, reply = std::move(reply)](std::optional<RedisReply> stored) mutable {
        if (stored.has_value() && stored->kind == Kind::kText) {
          Supersede(*question, stored->text, reply);
        } else if (stored.has_value() && stored->kind == Kind::kInteger &&
                   !IsOutdated(*question, *looks, time)) {
          stats_.stores.Add();
          reply.cache_status.stored = true;
          reply.cache_status.ttl = fresh_until - std::max(clock_.Now(), reply.outcome->as_of);
        }
        Answer(*question, std::move(reply));
      });
}

// Whether a write came between: Redis took what it will give nobody.
bool SharedSource::IsOutdated(const Question& question, const Looks& looks,
                              const RedisTime& asked) {
  if (!looks.written.has_value()) return false;
  const absl::Time now = clock_.Now();
  const RedisTime time{.now = asked.ByRedis(now), .sent_at = now};
  return asked.now < outdated_.CountsSince(question.written_name, *looks.written, time);
}

// Puts the final answer that Redis held already, if it is one, into the moving one's place.
void SharedSource::Supersede(const Question& question, const std::string& value, Reply& reply) {
  const auto entry = OpenedEntry(value, question.name, *question.query.credential,
                                 question.query.endpoint->not_found);
  if (!entry.has_value()) {
    stats_.corrupt.Add();
    redis_->Send({"DEL", question.name}, kIgnoreReply);
    return;
  }
  if (entry->outcome->as_of < question.void_before ||
      !FallsBehind(*reply.outcome, *entry->outcome)) {
    return;
  }
  reply.outcome = Confirmed(*entry->outcome, *reply.outcome);
  reply.cache_status.ttl = entry->lifetime;
  stats_.confirmed.Add();
}

void SharedSource::Answer(Question& question, Reply reply) {
  reply.denied = question.denied;
  if (question.done) std::exchange(question.done, nullptr)(std::move(reply));
}

void SharedSource::Unlock(const Question& question) {
  // Also where Redis did not say in time whether it gave the lock.
  if (question.token.empty()) return;
  redis_->Send({"EVAL", kUnlock, "1", question.lock_name, question.token}, kIgnoreReply);
}

void SharedSource::Cancel(const QuestionPtr& question) {
  if (!question->done) return;
  // What was asked upstream ends by itself, is stored, and gives the lock back.
  if (question->waited_until != nullptr) question->waited_until->Reset();
  Answer(*question, CancelledReply());
}

}  // namespace pcap_gateway
