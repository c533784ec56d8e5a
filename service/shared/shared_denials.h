// SharedDenials: what Cloudflare's word on credentials makes void, as replicas tell each other
// through Redis.
//
// Each credential has a standing in Redis, and one for each account (shared_standing.h), which say
// since when entries count. A denial puts a standing forward. What Redis could not be told of that
// counts here, and is told when it is back. What it was told counts here, too, and is told again:
// it may forget.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_SHARED_DENIALS_H_
#define PCAP_GATEWAY_SERVICE_SHARED_SHARED_DENIALS_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/base/recent.h"
#include "service/shared/redis_client.h"
#include "service/shared/redis_time.h"
#include "service/shared/shared_standing.h"
#include "service/shared/untold.h"
#include "service/source/outcome.h"
#include "service/source/query.h"

namespace pcap_gateway {

// The loop's thread only.
class SharedDenials {
 public:
  // One of the two that an entry has.
  struct Known {
    std::string name;
    // What Redis held last, so that a seal is made out once and not with each question.
    std::string value;
    std::optional<SharedStanding> standing;
  };
  // Of one credential in one account.
  struct Standings {
    Known credential;
    Known account;
  };
  using StandingsPtr = std::shared_ptr<Standings>;

  // What an entry's standings say of it.
  struct Word {
    // By Redis' clock: what was asked for before then does not count; infinite future: nothing
    // does. And the part of that which is Cloudflare's word.
    absl::Time since = absl::InfinitePast();
    absl::Time void_before = absl::InfinitePast();
    // By our clock; too late by the network's delays, never too early.
    Denied denied;
  };

  // `corrupt` counts standings in Redis that are none. All three outlive it, and Redis' client has
  // stopped before it goes.
  SharedDenials(RedisClient& redis, const Clock& clock, Counter& corrupt)
      : redis_(redis), clock_(clock), corrupt_(corrupt), untold_(clock) {}

  // Those that the question's entry has. Not null.
  StandingsPtr Of(const Query& query);

  // What they say. `of_credential`, `of_account`: what Redis held at `time`; empty: nothing, so
  // that no entry counts. What is no standing of the credential's is taken from Redis.
  Word Read(Standings& standings, const std::shared_ptr<const Credential>& credential,
            const std::string& of_credential, const std::string& of_account, const RedisTime& time);

  // Cloudflare has just denied the credential everything, or the account where `everything` is
  // false. Redis is told at once; if it is down, by TellUntold. `told`: held until it has replied.
  void Deny(const Standings& standings, std::shared_ptr<const Credential> credential,
            bool everything, const std::shared_ptr<void>& told);

  // Tells Redis what it could not be told before, if there is any of it; not more often than each
  // second where Redis refuses it.
  void TellUntold(const RedisTime& time);

 private:
  using Denials = Untold<std::shared_ptr<const Credential>>;  // by the standing's name

  void ReadOne(Known& known, const std::shared_ptr<const Credential>& credential,
               const std::string& value, const RedisTime& time, Word& word, absl::Time& denied);
  void Tell(const RedisTime& time, const std::string& name, const Denials::Known& denial,
            RedisClient::Done done);

  RedisClient& redis_;
  const Clock& clock_;
  Counter& corrupt_;
  // Whose names, seals and readings are kept at hand.
  Recent<std::pair<Partition, Id>, StandingsPtr> standings_{1000};
  Denials untold_;
  // By the standing's name: when the latest denial was that Redis was told, by its clock.
  // Many, so that strangers whom Cloudflare rejects do not push it out.
  Recent<std::string, absl::Time> told_{20'000};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_SHARED_DENIALS_H_
