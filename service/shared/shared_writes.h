// SharedWrites: the WriteMemory in Redis.
//
//   pcap-gateway:v1:{<32 hexadecimal digits>}:<32 more>:write   what is known of it
//   …:lease                                                     there while its replica is there
//
// A value is a mark, a seal and a message (shared_entry.proto), made as those of entries are
// (shared_entry.h): of what is written it holds a keyed hash alone, and of what came back no more
// than entries do. Marks:
//
//   C   claimed: a replica is sending it, or has died over it
//   D   done: this is how it ended; so for ten minutes
//   R   released: it was not sent, or was refused. For a moment, for those who wait for it
//
// One that is claimed and has no lease is lost: nobody knows whether it was sent, and nobody sends
// it again.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_SHARED_WRITES_H_
#define PCAP_GATEWAY_SERVICE_SHARED_SHARED_WRITES_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/shared/redis_client.h"
#include "service/source/write_memory.h"

namespace pcap_gateway {

struct SharedWritesStats {
  Counter corrupt;  // values that were none
};

class SharedWrites final : public WriteMemory {
 public:
  // `variant`: what else makes answers differ (whether secrets are shown). A gateway is not given
  // the answer that one of another variant got; to it the write is lost. Whoever owns `redis` stops
  // it while those who use this are still there. The clock outlives it.
  SharedWrites(std::shared_ptr<RedisClient> redis, std::string variant, const Clock& clock);

  void Claim(const NamedWrite& write, Done done) override;
  void Look(const NamedWrite& write, Done done) override;
  void Keep(const NamedWrite& write) override;
  void End(const NamedWrite& write, OutcomePtr outcome,
           absl::AnyInvocable<void(bool) &&> done) override;

  const SharedWritesStats& stats() const { return stats_; }

 private:
  void Ask(const NamedWrite& write, bool to_claim, Done done);
  Known KnownFrom(const std::optional<RedisReply>& reply, const NamedWrite& write,
                  const std::string& key);
  std::string ClaimOf(const NamedWrite& write, const std::string& key) const;

  const std::shared_ptr<RedisClient> redis_;
  const std::string variant_;
  const Clock& clock_;
  const std::string instance_;  // this replica's name
  SharedWritesStats stats_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_SHARED_WRITES_H_
