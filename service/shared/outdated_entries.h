// OutdatedEntries: tells Redis which entries a write has outdated, so that no replica gives them
// any more, whatever the caller's credential.
//
//   outdated.Outdate({{entry, word}}, absl::Minutes(2), [] { SendTheWrite(); });
//   if (as_of < outdated.CountsSince(word, held, time)) AskAnew();
//
// Redis keeps a word for each subject: when a write outdated it. Whoever reads an entry reads the
// word as well. The writer's own entry goes, so that it needs no word. What Redis could not be told
// counts here, and is told when it is back. What it was told counts here, too, and is told again:
// it may forget.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_OUTDATED_ENTRIES_H_
#define PCAP_GATEWAY_SERVICE_SHARED_OUTDATED_ENTRIES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/recent.h"
#include "service/shared/redis_client.h"
#include "service/shared/redis_time.h"
#include "service/shared/untold.h"

namespace pcap_gateway {

// A write outdates what is asked for while it is under way, for so long at the most: longer than
// any takes.
inline constexpr absl::Duration kWriting = absl::Minutes(2);

// Names in Redis.
struct OutdatedEntry {
  std::string entry;  // the writer's (EntryName)
  std::string word;   // for all entries of the subject (WrittenName)
};

// The loop's thread only.
class OutdatedEntries {
 public:
  // `redis` and `clock` outlive it, and Redis' client has stopped before it goes. `longest`: an
  // entry that a write may outdate is not kept for longer.
  OutdatedEntries(RedisClient& redis, const Clock& clock, absl::Duration longest)
      : redis_(redis), clock_(clock), lifetime_(longest + kWriting), untold_(clock) {}

  // Outdates what is known of the subjects, and what is asked for until `ahead` from now, at most
  // kWriting. Then runs `then`, once, whatever Redis said; at once where there are no subjects, or
  // Redis is down.
  void Outdate(const std::vector<OutdatedEntry>& entries, absl::Duration ahead,
               std::function<void()> then);

  // What was asked for before then, by Redis' clock, does not count: a write has outdated it.
  // InfinitePast: none has. `held`: the word in Redis at `time`; empty: there was none; what is no
  // time counts as if it were now.
  absl::Time CountsSince(const std::string& word, absl::string_view held, const RedisTime& time);

  // Tells Redis what it does not know, if there is any of it; not more often than each second where
  // Redis refuses it. To be called when Redis has answered.
  void TellUntold();

 private:
  void Tell(const OutdatedEntry& entry, absl::Duration ahead, RedisClient::Done done);

  RedisClient& redis_;
  const Clock& clock_;
  const absl::Duration lifetime_;  // of a word
  // By the word; what goes with it is the entry, or nothing.
  Untold<std::string> untold_;
  // What Redis was told, by its clock. Cloudflare's rate limit lets a credential write less than
  // that in an hour, for which entries are kept.
  Recent<std::string, absl::Time> told_{20'000};
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_OUTDATED_ENTRIES_H_
