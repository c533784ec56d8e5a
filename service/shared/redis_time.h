// Redis time: the time by Redis' clock, by which replicas agree on ages, and by ours.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_TIME_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_TIME_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "service/shared/redis_replies.h"

namespace pcap_gateway {

// One moment by both clocks. The network's delays make what Redis says older by ours, never
// younger.
struct RedisTime {
  absl::Time now;      // what Redis' clock said
  absl::Time sent_at;  // what ours had said just before that

  absl::Time ByRedis(absl::Time ours) const { return now + (ours - sent_at); }
  absl::Time ByUs(absl::Time redis) const { return sent_at - (now - redis); }

  // Whether a time that Redis or a replica noted may be right. Replicas guess Redis' time to within
  // the network's delays. What is further ahead comes from before the clock was set back.
  bool MayBeNoted(absl::Time redis) const { return redis <= now + absl::Minutes(1); }
};

// From the reply to TIME, which was sent at `sent_at`. Absent: there is none, or it is no time
// between 1970 and 2199.
std::optional<RedisTime> RedisTimeFrom(const std::optional<RedisReply>& reply, absl::Time sent_at);

// As Redis' commands take a lifetime: whole milliseconds, 1 or more.
std::string MillisecondsOf(absl::Duration duration);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_TIME_H_
