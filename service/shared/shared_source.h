// SharedSource: a Source around a Source that shares what it learns, and asks, with the other
// replicas of the gateway, through Redis.
//
//   SharedSource source(std::move(rest_source), std::move(redis), {.freshness = policy}, clock);
//
// What Redis holds and is good enough is the answer. Else one of the replicas takes a lock, asks,
// and stores what it got; the others wait for that. A lock expires by itself if its holder is
// gone. A caller who insists on asking again (max_age 0) neither takes one nor waits.
//
// A credential that Cloudflare rejects, or denies an account, is given nothing any more that Redis
// held for it until then: a standing in Redis (shared_standing.h) says since when entries count. It
// is read together with the entry, and told to the asker, who may have a memory of its own. What
// could not be told to Redis is told when it is back. It counts here in any case: Redis may forget.
//
// What may not be kept is passed on. Redis is told what a write outdates before the write is sent
// and once more before its caller hears of success: from then on no replica gives anybody what was
// asked for before, nor in between. What Redis could not be told of that is told when it is back.
// It counts here in any case, too.
//
// A caller who leaves ends its own wait. What was asked upstream for it ends by itself, and is
// stored.
//
// Redis is a help, never a need: where it is slow, full, wrong or gone, the question goes straight
// on, after one command's timeout at the most (redis_client.h).
//
// Ages need no clocks that agree. An entry bears the time at which Redis was looked into, by Redis'
// own clock, before its outcome was asked for; who reads it asks Redis for the time in the same
// breath. The network's delays make an entry older by this, never younger.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_SHARED_SOURCE_H_
#define PCAP_GATEWAY_SERVICE_SHARED_SHARED_SOURCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/freshness/freshness.h"
#include "service/loop/loop.h"
#include "service/shared/outdated_entries.h"
#include "service/shared/redis_client.h"
#include "service/shared/redis_time.h"
#include "service/shared/shared_denials.h"
#include "service/source/source.h"

namespace pcap_gateway {

struct SharedOptions {
  FreshnessPolicy freshness;
  // How long a replica may take to ask before another one does. Longer than most answers take.
  absl::Duration lock_time = absl::Seconds(10);
  // Gateways that differ in it share nothing: see EntryName.
  std::string variant;
};

// Every question is one hit or one miss, unless Redis could not be asked.
struct SharedStats {
  Counter hits;            // answered by Redis
  Counter misses;          // Redis held nothing that would do, nor came to in time
  Counter waits;           // questions that waited for another replica's answer
  Counter stores;          // outcomes that Redis took
  Counter corrupt;         // entries and standings that were none
  Counter stale_if_error;  // given stale, as asking failed
  Counter confirmed;       // answers that fell behind a final one, and confirmed it
};

// Thread-safe. Its state belongs to the thread of the Redis client's loop.
class SharedSource final : public Source {
 public:
  // The clock outlives it.
  SharedSource(std::unique_ptr<Source> inner, std::shared_ptr<RedisClient> redis,
               SharedOptions options, const Clock& clock);

  // Nothing may be asked any more, and Stop have been called.
  ~SharedSource() override;

  // Stops Redis. What is still open goes straight to `inner`, whose answers are passed on. Once
  // callers are gone, and before `inner` is stopped. Another thread than the loop's.
  void Stop();

  // Redis is never asked while a caller's thread waits.
  std::optional<Reply> AtHand(const Query&) override { return std::nullopt; }

  // `done` runs on the loop's thread; inside the call where that is the caller's, and Redis is
  // down.
  Ticket Ask(Query query, Done done) override;

  const SharedStats& stats() const { return stats_; }
  const RedisStats& redis_stats() const { return redis_->stats(); }

 private:
  struct Question;
  using QuestionPtr = std::shared_ptr<Question>;

  // What Redis holds. Absent: it did not say. Empty: nothing.
  struct Looks {
    std::optional<std::string> entry;
    std::optional<std::string> credential;  // its standing
    std::optional<std::string> account;
    std::optional<std::string> written;  // when a write outdated the entry
  };

  enum class Locked { kUnasked, kNo, kYes };

  Ticket PassOn(const QuestionPtr& question);
  void Pass(const QuestionPtr& question);
  void Passed(const QuestionPtr& question, const Reply& reply);
  void Look(const QuestionPtr& question);
  void LookWith(const QuestionPtr& question, const std::shared_ptr<Locked>& locked);
  void Read(const std::string& name, const std::string& last_byte,
            const std::shared_ptr<Looks>& looks, std::optional<std::string> Looks::* place);
  void Looked(const QuestionPtr& question, const Looks& looks, const std::optional<RedisTime>& time,
              Locked locked);
  void Open(Question& question, const std::string& value, absl::Time since, const RedisTime& time);
  bool IsHit(const Question& question, absl::Time now) const;
  void Lock(const QuestionPtr& question);
  void Wait(const QuestionPtr& question);
  void AskInner(const QuestionPtr& question);
  void GiveUp(Question& question);
  void Landed(const QuestionPtr& question, Reply reply);
  void Deny(const QuestionPtr& question, Reply reply);
  void Store(const QuestionPtr& question, Reply reply, absl::Duration longest,
             const RedisTime& time);
  bool IsOutdated(const Question& question, const Looks& looks, const RedisTime& asked);
  void Supersede(const Question& question, const std::string& value, Reply& reply);
  void Answer(Question& question, Reply reply);
  void Unlock(const Question& question);
  void Cancel(const QuestionPtr& question);

  const std::unique_ptr<Source> inner_;
  const std::shared_ptr<RedisClient> redis_;
  Loop& loop_;
  const SharedOptions options_;
  const Clock& clock_;
  const absl::Duration standing_lifetime_;
  const std::string instance_;  // in the tokens of this replica's locks
  uint64_t next_token_ = 0;
  absl::flat_hash_set<QuestionPtr> waiting_;  // for another replica's answer, a moment at a time
  SharedStats stats_;
  SharedDenials denials_;
  OutdatedEntries outdated_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_SHARED_SOURCE_H_
