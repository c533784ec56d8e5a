#include "service/shared/shared_source.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/freshness/succession.h"
#include "service/shared/redis_names.h"
#include "service/shared/shared_entry.h"
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

// Whose names, seals and readings are kept at hand.
constexpr size_t kMostStandings = 1000;

// A standing that nobody has an entry under is there only for those that are being asked for:
// longer than any of them takes. So strangers whom Cloudflare rejects fill no Redis.
constexpr absl::Duration kShortStanding = absl::Minutes(2);

// That Redis could not be told; one more takes the place of any.
constexpr size_t kMostDenials = 1000;
constexpr absl::Duration kTellAgainAfter = absl::Seconds(1);

// A replica guesses Redis' time to within the network's delays. What is further ahead comes from a
// clock that was set back.
constexpr absl::Duration kMostAhead = absl::Minutes(1);

// KEYS: entry, lock, its two standings, when a write outdated it. ARGV: value, lifetime in ms,
// mark, token, values of the standings if there are none yet, their lifetime in ms, last byte to
// read, as of when the value is. Stores the value, and gives 1; but where it would take a final
// one's place, gives that back; where a write has outdated it, 0. Gives up the lock in any case.
// What has another type than it should is not ours.
constexpr absl::string_view kStore = R"(
local result = 1
local written = redis.pcall('GET', KEYS[5])
if type(written) == 'string' and (tonumber(written) or 0) >= tonumber(ARGV[9]) then
  result = 0
elseif ARGV[3] == 'M' and redis.pcall('GETRANGE', KEYS[1], 0, 0) == 'F' then
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

// KEYS: standing. ARGV: value, how many of its digits tell the time, short lifetime in ms. Puts it
// forward, never back. Where there is no room for that, it goes, and with it all that it stands
// for.
constexpr absl::string_view kDeny = R"(
local known, set = redis.pcall('GET', KEYS[1])
if type(known) ~= 'string' then
  set = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
elseif string.sub(known, 1, ARGV[2]) < string.sub(ARGV[1], 1, ARGV[2]) then
  set = redis.pcall('SET', KEYS[1], ARGV[1], 'KEEPTTL')
end
if set and set.err then redis.call('DEL', KEYS[1]) end
return set)";

// KEYS: entry, when a write outdated it. ARGV: microseconds from now until when that counts,
// lifetime of the word in ms.
constexpr absl::string_view kOutdate = R"(
local now = redis.call('TIME')
redis.call('DEL', KEYS[1])
return redis.pcall('SET', KEYS[2], string.format('%.0f', now[1] * 1000000 + now[2] + ARGV[1]),
                   'PX', ARGV[2]))";

// While a write is under way, and after it: longer than any request takes that was sent before.
constexpr absl::Duration kWriting = absl::Minutes(2);

// KEYS: lock. ARGV: token.
constexpr absl::string_view kUnlock =
    "if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end";

// The end of the year 2199.
constexpr int64_t kLatestSecond = 7'258'118'399;

// For commands whose reply changes nothing; the client counts what fails.
constexpr auto kIgnore = [](const std::optional<RedisReply>&) {};

bool IsDone(const std::optional<RedisReply>& reply) {
  return reply.has_value() && reply->kind != Kind::kError;
}

// The reply to TIME: seconds and microseconds.
std::optional<absl::Time> TimeFrom(const std::optional<RedisReply>& reply) {
  if (!reply.has_value() || reply->elements.size() != 2) return std::nullopt;
  int64_t seconds = 0;
  int64_t micros = 0;
  if (!absl::SimpleAtoi(reply->elements[0].text, &seconds) ||
      !absl::SimpleAtoi(reply->elements[1].text, &micros)) {
    return std::nullopt;
  }
  // Of a Redis that lies: what is far from any clock's time would make entries live for ever.
  const bool possible =
      seconds >= 0 && seconds <= kLatestSecond && micros >= 0 && micros < 1'000'000;
  if (!possible) return std::nullopt;
  return absl::FromUnixSeconds(seconds) + absl::Microseconds(micros);
}

// Of the longest kept entry in Redis.
absl::Duration LongestOf(const FreshnessPolicy& policy) {
  return std::max({policy.final_lifetime, policy.moving_lifetime, policy.longest_moving_lifetime,
                   policy.not_found_lifetime}) +
         policy.stale_if_error;
}

std::string MillisecondsOf(absl::Duration duration) {
  return absl::StrCat(std::max<int64_t>(1, absl::ToInt64Milliseconds(duration)));
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
  // Of one that is passed on: the names of what it outdates, the one below, and that its caller
  // has left.
  std::vector<std::string> outdates;
  Ticket passed;
  bool left = false;
  std::shared_ptr<Standings> standings;  // not null once Redis was looked into
  std::string token;                     // of the lock; empty: it was not asked for
  bool waited = false;
  absl::Duration pause = kFirstPause;
  // When Redis was looked into last, by its own clock; absent: it could not be. And just before
  // that, by ours.
  std::optional<absl::Time> redis_now;
  absl::Time looked_at;
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
      instance_(RandomName()) {}

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
    question->outdates.push_back(EntryName(*query.credential, subject, options_.variant));
  }
  RunOn(loop_,
        [this, question] { Outdate(*question, kWriting, [this, question] { Pass(question); }); });
  return Ticket([this, question] {
    RunOn(loop_, [question] {
      question->left = true;
      question->passed.Cancel();
    });
  });
}

void SharedSource::Pass(const QuestionPtr& question) {
  if (question->left) return Answer(*question, CancelledReply());
  Ticket ticket = inner_->Ask(question->query, [this, question](Reply reply) {
    RunOn(loop_, [this, question, reply = std::move(reply)] {
      Outdate(*question, absl::ZeroDuration(),
              [this, question, reply] { Landed(question, reply); });
    });
  });
  if (question->done) question->passed = std::move(ticket);
}

// Takes from Redis what the question outdates, and what is asked for until `ahead` from now. Then
// goes on, whatever Redis said.
void SharedSource::Outdate(const Question& question, absl::Duration ahead,
                           std::function<void()> then) {
  const std::shared_ptr<void> told(nullptr, [then = std::move(then)](void*) { then(); });
  for (const std::string& name : question.outdates) {
    redis_->Send({"EVAL", kOutdate, "2", name, absl::StrCat(name, ":written"),
                  absl::StrCat(absl::ToInt64Microseconds(ahead)), MillisecondsOf(kWriting)},
                 [this, told, name](const std::optional<RedisReply>& reply) {
                   if (IsDone(reply)) return;
                   RememberOutdated(name, clock_.Now());
                 });
  }
}

void SharedSource::RememberOutdated(const std::string& name, absl::Time at) {
  if (outdated_.size() >= kMostDenials && !outdated_.contains(name)) {
    outdated_.erase(outdated_.begin());
  }
  absl::Time& remembered = outdated_.try_emplace(name, at).first->second;
  remembered = std::max(remembered, at);
}

// Each is remembered until Redis has said that it knows it: who looked into Redis before that, and
// hears of it later, is to know it, too.
void SharedSource::TellOutdated() {
  tells_outdated_ = true;
  const std::shared_ptr<void> told(nullptr, [this](void*) { tells_outdated_ = false; });
  for (const auto& [name, at] : outdated_) {
    redis_->Send({"EVAL", kOutdate, "2", name, absl::StrCat(name, ":written"), "0",
                  MillisecondsOf(kWriting)},
                 [this, told, name = name, at = at](const std::optional<RedisReply>& reply) {
                   if (reply.has_value() && !IsDone(reply)) {
                     tell_again_at_ = clock_.Now() + kTellAgainAfter;
                   }
                   const auto found = outdated_.find(name);
                   if (IsDone(reply) && found != outdated_.end() && found->second == at) {
                     outdated_.erase(found);
                   }
                 });
  }
}

void SharedSource::Look(const QuestionPtr& question) {
  if (question->query.is_abandoned()) return GiveUp(*question);
  if (question->standings == nullptr) question->standings = StandingsOf(question->query);
  LookWith(question, std::make_shared<Locked>(Locked::kUnasked));
}

// `locked`: what a command sent before finds out.
void SharedSource::LookWith(const QuestionPtr& question, const std::shared_ptr<Locked>& locked) {
  // Taken before Redis can be at it: what it says of an age was true then or later.
  const absl::Time sent_at = clock_.Now();
  // The entry first: a standing that is read after it denies rather more.
  auto looks = std::make_shared<Looks>();
  Read(question->name, kLastByte, looks, &Looks::entry);
  Read(question->standings->credential.name, kLastStandingByte, looks, &Looks::credential);
  Read(question->standings->account.name, kLastStandingByte, looks, &Looks::account);
  redis_->Send({"TIME"}, [=, this](const std::optional<RedisReply>& time) {
    Looked(question, *looks, time, sent_at, *locked);
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
      redis_->Send({"DEL", name}, kIgnore);
      (*looks).*place = "";
    }
  });
}

void SharedSource::Looked(const QuestionPtr& question, const Looks& looks,
                          const std::optional<RedisReply>& time, absl::Time sent_at,
                          Locked locked) {
  const std::optional<absl::Time> redis_now = TimeFrom(time);
  question->redis_now = redis_now;
  question->looked_at = sent_at;
  const bool replied =
      looks.entry.has_value() && looks.credential.has_value() && looks.account.has_value();
  if (!replied || !redis_now.has_value()) return AskInner(question);
  question->kept = nullptr;
  question->void_before = absl::InfinitePast();
  absl::Time since = std::max(ReadStanding(*question, question->standings->credential,
                                           *looks.credential, question->denied.everything),
                              ReadStanding(*question, question->standings->account, *looks.account,
                                           question->denied.account));
  if (const auto outdated = outdated_.find(question->name); outdated != outdated_.end()) {
    const absl::Time at = *redis_now + (outdated->second - sent_at);
    question->void_before = std::max(question->void_before, at);
    since = std::max(since, at);
  }
  if (!looks.entry->empty()) Open(*question, *looks.entry, since);
  const absl::Time now = clock_.Now();
  if (!denials_.empty() && now >= tell_again_at_) TellDenials(*redis_now, sent_at, nullptr);
  if (!outdated_.empty() && !tells_outdated_ && now >= tell_again_at_) TellOutdated();

  if (IsHit(*question, now)) {
    stats_.hits.Add();
    // By Redis' clock it counts, and the network's delays are not to make it seem void.
    Denied& denied = question->denied;
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
    if (question->waited) redis_->Send({"DEL", question->lock_name}, kIgnore);
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

std::shared_ptr<SharedSource::Standings> SharedSource::StandingsOf(const Query& query) {
  if (standings_.size() >= kMostStandings) standings_.clear();
  std::shared_ptr<Standings>& standings =
      standings_[{query.credential->partition(), query.account}];
  if (standings == nullptr) {
    standings = std::make_shared<Standings>();
    standings->credential.name = StandingName(*query.credential);
    standings->account.name = StandingName(*query.credential, query.account);
  }
  return standings;
}

// Since when, by Redis' clock, entries count as far as this standing goes; InfiniteFuture: none do.
// `denied`: when it was Cloudflare's word, by our clock; too late by the network's delays, never
// too early.
absl::Time SharedSource::ReadStanding(Question& question, Known& known, const std::string& value,
                                      absl::Time& denied) {
  const absl::Time redis_now = question.redis_now.value_or(absl::InfinitePast());
  absl::Time since = absl::InfiniteFuture();
  if (value.empty()) {
    known.value.clear();
    known.standing.reset();
  } else if (value != known.value) {
    known.value = value;
    known.standing = OpenedStanding(value, known.name, *question.query.credential);
  }
  if (known.standing.has_value() && known.standing->since <= redis_now + kMostAhead) {
    since = known.standing->since;
    if (known.standing->denied) {
      question.void_before = std::max(question.void_before, since);
      const absl::Time now = clock_.Now();
      denied = std::max(denied, std::min(now, now - (redis_now - since)));
    }
  } else if (!value.empty()) {
    stats_.corrupt.Add();
    redis_->Send({"DEL", known.name}, kIgnore);
  }
  if (const auto untold = denials_.find(known.name); untold != denials_.end()) {
    const absl::Time at = redis_now + (untold->second.at - question.looked_at);
    question.void_before = std::max(question.void_before, at);
    since = std::max(since, at);
    denied = std::max(denied, untold->second.at);
  }
  return since;
}

// Reads what Redis holds. A clock of Redis' that was set back makes entries from the future, of
// which nobody can say how old they are. What is void goes, too: it is not to keep others out.
void SharedSource::Open(Question& question, const std::string& value, absl::Time since) {
  std::optional<SharedEntry> entry = OpenedEntry(value, question.name, *question.query.credential,
                                                 question.query.endpoint->not_found);
  const absl::Time redis_now = question.redis_now.value_or(absl::InfinitePast());
  const bool sound = entry.has_value() && entry->outcome->as_of <= redis_now;
  if (!sound) stats_.corrupt.Add();
  if (!sound || entry->outcome->as_of < since) {
    redis_->Send({"DEL", question.name}, kIgnore);
    return;
  }
  entry->outcome->as_of = question.looked_at - (redis_now - entry->outcome->as_of);
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
  if (question->redis_now.has_value()) stats_.misses.Add();
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
  if (question->redis_now.has_value()) {
    reply.cache_status.how = question->kept == nullptr     ? CacheStatus::How::kUriMiss
                             : now < question->fresh_until ? CacheStatus::How::kRequest
                                                           : CacheStatus::How::kStale;
    const absl::Duration longest = LifetimeOf(outcome, options_.freshness);
    if (longest > absl::ZeroDuration()) {
      return Store(question, std::move(reply), longest, *question->redis_now);
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
  if (question->standings == nullptr) question->standings = StandingsOf(question->query);
  const Standings& standings = *question->standings;
  const bool everything = DeniedBy(*reply.outcome) == Denies::kEverything;
  Remember(everything ? standings.credential.name : standings.account.name,
           {.credential = question->query.credential, .at = clock_.Now()});
  const std::shared_ptr<void> told(
      nullptr, [=, this, reply = std::move(reply)](void*) { Answer(*question, reply); });
  if (question->redis_now.has_value()) TellDenials(*question->redis_now, question->looked_at, told);
}

void SharedSource::Remember(const std::string& name, const Denial& denial) {
  if (denials_.size() >= kMostDenials && !denials_.contains(name)) denials_.erase(denials_.begin());
  Denial& remembered = denials_.try_emplace(name, denial).first->second;
  remembered.at = std::max(remembered.at, denial.at);
}

// `redis_now`: what Redis' clock said after ours had said `looked_at`. `told`: held until Redis has
// replied.
void SharedSource::TellDenials(absl::Time redis_now, absl::Time looked_at,
                               const std::shared_ptr<void>& told) {
  const std::string digits = absl::StrCat(kStandingDigits);
  const std::string milliseconds = MillisecondsOf(kShortStanding);
  for (const auto& [name, denial] : std::exchange(denials_, {})) {
    const std::string value = SealedStanding(
        {.since = redis_now + (denial.at - looked_at), .denied = true}, name, *denial.credential);
    redis_->Send(
        {"EVAL", kDeny, "1", name, value, digits, milliseconds},
        [this, told, name = name, denial = denial](const std::optional<RedisReply>& reply) {
          if (reply.has_value() && reply->kind != Kind::kError) return;
          Remember(name, denial);
          if (reply.has_value()) tell_again_at_ = clock_.Now() + kTellAgainAfter;
        });
  }
}

// Gives the others what was learnt, and the lock back. The asker hears of it once Redis has said
// that it took it, or that somebody knows better.
void SharedSource::Store(const QuestionPtr& question, Reply reply, absl::Duration longest,
                         absl::Time redis_now) {
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
      SealedEntry(outcome, redis_now, lifetime, question->name, *question->query.credential);
  const Known* const standings[] = {&question->standings->credential,
                                    &question->standings->account};
  std::string since[2];
  for (int i = 0; i < 2; ++i) {
    since[i] = SealedStanding({.since = redis_now, .denied = false}, standings[i]->name,
                              *question->query.credential);
  }
  const absl::Time fresh_until = outcome.as_of + lifetime;
  redis_->Send(
      {"EVAL", kStore, "5", question->name, question->lock_name, standings[0]->name,
       standings[1]->name, absl::StrCat(question->name, ":written"), value,
       MillisecondsOf(kept_for), absl::string_view(value).substr(0, 1), question->token, since[0],
       since[1], MillisecondsOf(standing_lifetime_), kLastByte,
       absl::StrCat(absl::ToUnixMicros(redis_now))},
      [=, this, reply = std::move(reply)](std::optional<RedisReply> stored) mutable {
        if (stored.has_value() && stored->kind == Kind::kText) {
          Supersede(*question, stored->text, reply);
        } else if (stored.has_value() && stored->kind == Kind::kInteger && stored->integer == 1) {
          stats_.stores.Add();
          reply.cache_status.stored = true;
          reply.cache_status.ttl = fresh_until - std::max(clock_.Now(), reply.outcome->as_of);
        }
        Answer(*question, std::move(reply));
      });
}

// Puts the final answer that Redis held already, if it is one, into the moving one's place.
void SharedSource::Supersede(const Question& question, const std::string& value, Reply& reply) {
  const auto entry = OpenedEntry(value, question.name, *question.query.credential,
                                 question.query.endpoint->not_found);
  if (!entry.has_value()) {
    stats_.corrupt.Add();
    redis_->Send({"DEL", question.name}, kIgnore);
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
  redis_->Send({"EVAL", kUnlock, "1", question.lock_name, question.token}, kIgnore);
}

void SharedSource::Cancel(const QuestionPtr& question) {
  if (!question->done) return;
  // What was asked upstream ends by itself, is stored, and gives the lock back.
  if (question->waited_until != nullptr) question->waited_until->Reset();
  Answer(*question, CancelledReply());
}

}  // namespace pcap_gateway
