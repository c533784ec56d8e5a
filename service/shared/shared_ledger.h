// SharedLedger: the Ledger in Redis.
//
//   pcap-gateway:v1:<32 hexadecimal digits>:spent     hash: requests, sent or promised, by slot
//   …:promised                                        sorted set: questions, by the promised slot
//   …:replicas                                        sorted set: who has asked, by when
//   …:blocked                                         there while Cloudflare blocks the credential
//
// The digits are an HMAC under the credential's secret, and so are the questions. The rules are
// those of upstream/budget.h, kept by one script, so that no two replicas take the same place; time
// is Redis' own.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_SHARED_LEDGER_H_
#define PCAP_GATEWAY_SERVICE_SHARED_SHARED_LEDGER_H_

#include <memory>
#include <string>

#include "service/shared/redis_client.h"
#include "service/source/ledger.h"

namespace pcap_gateway {

class SharedLedger final : public Ledger {
 public:
  // Whoever owns `redis` stops it while the ledger's users are still there.
  explicit SharedLedger(std::shared_ptr<RedisClient> redis);

  // `done` runs on the Redis client's thread.
  void Spend(LedgerEntry entry, Done done) override;

  void Block(const Credential& credential, absl::Duration how_long) override;

 private:
  const std::shared_ptr<RedisClient> redis_;
  const std::string instance_;  // this replica's name
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_SHARED_LEDGER_H_
