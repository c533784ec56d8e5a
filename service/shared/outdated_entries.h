// OutdatedEntries: tells Redis which entries a write has outdated, so that no replica gives them
// any more.
//
//   outdated.Outdate(names, absl::Minutes(2), [] { SendTheWrite(); });
//
// Redis drops each entry, and keeps in its place when that was, so that it takes no outcome that
// was asked for before. What Redis could not be told counts here, and is told when it is back. What
// it was told counts here, too: it may forget, and take such an outcome from another replica.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_OUTDATED_ENTRIES_H_
#define PCAP_GATEWAY_SERVICE_SHARED_OUTDATED_ENTRIES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/recent.h"
#include "service/shared/redis_client.h"
#include "service/shared/redis_time.h"
#include "service/shared/untold.h"

namespace pcap_gateway {

// While a write is under way, and after it: longer than any request takes that was sent before.
inline constexpr absl::Duration kWriting = absl::Minutes(2);

// Where Redis keeps when a write outdated the entry of this name, in microseconds by its own clock.
std::string OutdatedName(const std::string& entry);

// The loop's thread only.
class OutdatedEntries {
 public:
  // Both outlive it, and Redis' client has stopped before it goes.
  OutdatedEntries(RedisClient& redis, const Clock& clock)
      : redis_(redis), clock_(clock), untold_(clock) {}

  // Outdates what Redis holds under `names`, and what is asked for until `ahead` from now. Then
  // runs `then`, once, whatever Redis said; at once where there are no names, or Redis is down.
  void Outdate(const std::vector<std::string>& names, absl::Duration ahead,
               std::function<void()> then);

  // What was asked for before then, by Redis' clock at `time`, does not count: a write that went
  // through here has outdated it. InfinitePast: none has.
  absl::Time CountsSince(const std::string& name, const RedisTime& time) const;

  // Tells Redis what it could not be told before, if there is any of it; not more often than each
  // second where Redis refuses it. To be called when Redis has answered.
  void TellUntold();

 private:
  void Tell(const std::string& name, absl::Duration ahead, RedisClient::Done done);

  RedisClient& redis_;
  const Clock& clock_;
  // Both by the entry's name. What Redis was told, by its clock: enough for all writes of the
  // minutes in which answers from before them come, and of the hour for which those are kept.
  Untold<> untold_;
  Recent<std::string, absl::Time> told_{4000};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_OUTDATED_ENTRIES_H_
