#include "service/shared/shared_source.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/cache/succession.h"
#include "service/shared/redis_names.h"
#include "service/shared/shared_entry.h"

namespace pcap_gateway {
namespace {

using Kind = RedisReply::Kind;

// How often a replica that waits looks whether the entry has come.
constexpr absl::Duration kFirstPause = absl::Milliseconds(5);
constexpr absl::Duration kLongestPause = absl::Milliseconds(50);

// The last byte that an entry may have, and one more, by which one that is too long is known.
const std::string kLastByte = absl::StrCat(kMostEntryBytes);

// KEYS: entry, lock. ARGV: value, lifetime in ms, mark, token, last byte to read. Stores the value;
// but where it would take a final one's place, gives that back. Gives up the lock in any case. What
// has another type than it should is none of ours.
constexpr absl::string_view kStore = R"(
local result = 1
if ARGV[3] == 'M' and redis.pcall('GETRANGE', KEYS[1], 0, 0) == 'F' then
  result = redis.call('GETRANGE', KEYS[1], 0, ARGV[5])
else
  local set = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  if set.err then result = set end
end
if redis.pcall('GET', KEYS[2]) == ARGV[4] then redis.call('DEL', KEYS[2]) end
return result)";

// KEYS: lock. ARGV: token.
constexpr absl::string_view kUnlock =
    "if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end";

// The end of the year 2199.
constexpr int64_t kLatestSecond = 7'258'118'399;

// For commands whose reply changes nothing; the client counts what fails.
constexpr auto kIgnore = [](const std::optional<RedisReply>&) {};

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

}  // namespace

// The Redis client's thread only, once it is posted there.
struct SharedSource::Question {
  Query query;
  Done done;  // empty: answered
  absl::Time asked;
  std::string name;
  std::string lock_name;
  std::string token;  // of the lock; empty: it was not asked for
  bool waited = false;
  absl::Duration pause = kFirstPause;
  // When Redis was looked into last, by its own clock; absent: it could not be.
  std::optional<absl::Time> redis_now;
  // What it holds, as of our clock; no outcome: nothing.
  OutcomePtr kept;
  absl::Time fresh_until;
  Ticket inner;

  Keeping keeping() const {
    return {.as_of = kept->as_of, .fresh_until = fresh_until, .ok = kept->ok()};
  }
};

SharedSource::SharedSource(std::unique_ptr<Source> inner, std::shared_ptr<RedisClient> redis,
                           SharedOptions options, const Clock& clock)
    : inner_(std::move(inner)),
      redis_(std::move(redis)),
      options_(std::move(options)),
      clock_(clock),
      instance_(RandomName()) {}

SharedSource::~SharedSource() = default;

void SharedSource::Stop() { redis_->Stop(); }

Ticket SharedSource::Ask(Query query, Done done) {
  auto question = std::make_shared<Question>();
  question->asked = clock_.Now();
  question->name = EntryName(query, options_.variant);
  question->lock_name = absl::StrCat(question->name, ":lock");
  question->query = std::move(query);
  question->done = std::move(done);
  redis_->Post([this, question] { Look(question); });
  return Ticket([this, question] { redis_->Post([this, question] { Cancel(question); }); });
}

void SharedSource::Look(const QuestionPtr& question) {
  if (!question->done) return;  // cancelled while it waited
  LookWith(question, std::make_shared<Locked>(Locked::kUnasked));
}

// `locked`: what a command sent before finds out.
void SharedSource::LookWith(const QuestionPtr& question, const std::shared_ptr<Locked>& locked) {
  // Taken before Redis can be at it: what it says of an age was true then or later.
  const absl::Time sent_at = clock_.Now();
  auto value = std::make_shared<std::optional<RedisReply>>();
  redis_->Send({"GETRANGE", question->name, "0", kLastByte},
               [value](std::optional<RedisReply> reply) { *value = std::move(reply); });
  redis_->Send({"TIME"}, [=, this](const std::optional<RedisReply>& time) {
    Looked(question, std::move(*value), time, sent_at, *locked);
  });
}

void SharedSource::Looked(const QuestionPtr& question, std::optional<RedisReply> value,
                          const std::optional<RedisReply>& time, absl::Time sent_at,
                          Locked locked) {
  if (!question->done) return Unlock(*question);  // cancelled in the meantime
  const std::optional<absl::Time> redis_now = TimeFrom(time);
  question->redis_now = redis_now;
  // No type of ours: somebody else's, or what a lie left.
  if (value.has_value() && value->kind == Kind::kError &&
      absl::StartsWith(value->text, "WRONGTYPE")) {
    stats_.corrupt.Add();
    redis_->Send({"DEL", question->name}, kIgnore);
    value = RedisReply{.kind = Kind::kText};
  }
  const bool replied = value.has_value() && value->kind == Kind::kText;
  if (!replied || !redis_now.has_value()) return AskInner(question);
  question->kept = nullptr;
  if (!value->text.empty()) Open(*question, value->text, sent_at, *redis_now);

  const absl::Time now = clock_.Now();
  if (IsHit(*question, now)) {
    stats_.hits.Add();
    if (locked == Locked::kYes) Unlock(*question);
    return std::exchange(question->done, nullptr)(
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

// Reads what Redis holds. A clock of Redis' that was set back makes entries from the future, of
// which nobody can say how old they are.
void SharedSource::Open(Question& question, const std::string& value, absl::Time sent_at,
                        absl::Time redis_now) {
  std::optional<SharedEntry> entry = OpenedEntry(value, question.name, *question.query.credential);
  const bool sound = entry.has_value() && entry->outcome->as_of <= redis_now;
  if (!sound) {
    stats_.corrupt.Add();
    redis_->Send({"DEL", question.name}, kIgnore);
    return;
  }
  entry->outcome->as_of = sent_at - (redis_now - entry->outcome->as_of);
  question.fresh_until = entry->outcome->as_of + entry->lifetime;
  question.kept = std::move(entry->outcome);
}

bool SharedSource::IsHit(const Question& question, absl::Time now) const {
  return question.kept != nullptr && FreshnessOf(question.keeping(), question.query.max_age,
                                                 options_.freshness, now) == Freshness::kFresh;
}

void SharedSource::Lock(const QuestionPtr& question) {
  if (question->token.empty()) question->token = absl::StrCat(instance_, "-", next_token_++);
  const std::string milliseconds = absl::StrCat(absl::ToInt64Milliseconds(options_.lock_time));
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
  redis_->After(question->pause, [=, this] { Look(question); });
  question->pause = std::min(2 * question->pause, kLongestPause);
}

void SharedSource::AskInner(const QuestionPtr& question) {
  if (!question->done) return Unlock(*question);  // cancelled in the meantime
  if (question->redis_now.has_value()) stats_.misses.Add();
  question->inner = inner_->Ask(question->query, [this, question](Reply reply) {
    redis_->Post([this, question, reply = std::move(reply)]() mutable {
      Landed(question, std::move(reply));
    });
  });
}

void SharedSource::Landed(const QuestionPtr& question, Reply reply) {
  question->inner = Ticket();
  const absl::Time now = clock_.Now();
  const Outcome& outcome = *reply.outcome;
  if (question->redis_now.has_value()) {
    reply.cache_status.how = question->kept == nullptr     ? CacheStatus::How::kUriMiss
                             : now < question->fresh_until ? CacheStatus::How::kRequest
                                                           : CacheStatus::How::kStale;
    if (TakesAway(outcome)) redis_->Send({"DEL", question->name}, kIgnore);
    const absl::Duration longest = LifetimeOf(outcome, options_.freshness);
    if (longest > absl::ZeroDuration()) {
      return Store(question, std::move(reply), longest, *question->redis_now);
    }
  }
  Unlock(*question);
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

// Gives the others what was learnt, and the lock back. Who was told that the capture still moves
// hears of it only once Redis has said that nobody knows better.
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
  const std::string milliseconds =
      absl::StrCat(std::max<int64_t>(1, absl::ToInt64Milliseconds(kept_for)));
  const bool may_fall_behind = outcome.ok() && outcome.stage == Stage::kMoving;
  reply.cache_status.stored = true;
  reply.cache_status.ttl = lifetime - std::max(clock_.Now() - outcome.as_of, absl::ZeroDuration());
  stats_.stores.Add();
  if (!may_fall_behind) Answer(*question, reply);
  redis_->Send({"EVAL", kStore, "2", question->name, question->lock_name, value, milliseconds,
                absl::string_view(value).substr(0, 1), question->token, kLastByte},
               [=, this, reply = std::move(reply)](std::optional<RedisReply> stored) mutable {
                 if (stored.has_value() && stored->kind == Kind::kText) {
                   Supersede(*question, stored->text, reply);
                 }
                 Answer(*question, std::move(reply));
               });
}

// Puts the final answer that Redis held already, if it is one, into the moving one's place.
void SharedSource::Supersede(const Question& question, const std::string& value, Reply& reply) {
  const auto entry = OpenedEntry(value, question.name, *question.query.credential);
  if (!entry.has_value()) {
    stats_.corrupt.Add();
    redis_->Send({"DEL", question.name}, kIgnore);
    return;
  }
  if (!FallsBehind(*reply.outcome, *entry->outcome)) return;
  reply.outcome = Confirmed(*entry->outcome, *reply.outcome);
  reply.cache_status.ttl = entry->lifetime;
  stats_.confirmed.Add();
}

void SharedSource::Answer(Question& question, Reply reply) {
  if (question.done) std::exchange(question.done, nullptr)(std::move(reply));
}

void SharedSource::Unlock(const Question& question) {
  // Also where Redis did not say in time whether it gave the lock.
  if (question.token.empty()) return;
  redis_->Send({"EVAL", kUnlock, "1", question.lock_name, question.token}, kIgnore);
}

void SharedSource::Cancel(const QuestionPtr& question) {
  if (!question->done) return;
  std::exchange(question->done, nullptr)(FailedReply(
      Error(absl::StatusCode::kCancelled, Reason::kCancelled, "the call was cancelled")));
  // It ends all the same, and gives the lock back.
  question->inner.Cancel();
}

}  // namespace pcap_gateway
