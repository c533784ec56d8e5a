// SharedLedger: the Ledger in Redis.
//
//   pcap-gateway:v1:{<32 hexadecimal digits>}:<32 more>:count
//               hash: requests, by when they were sent or over
//   …:callers   hash: what each has had, and asked for
//   …:places    sorted set: questions that have a place
//   …:owners    hash: whose they are
//   …:replicas  sorted set: who has asked, by when
//   …:reports   hash: the last report of each
//   …:blocked   there while Cloudflare blocks the credential
//
// The digits are HMACs under the credential's secret (redis_names.h), and so are questions and
// callers. The rules are those of upstream/budget.h, kept by one script, so that no two replicas
// take the same place; time is Redis' own.
//
// What becomes of requests is reported with the next Spend. A report has a number, and is repeated
// until Redis has answered one that carried it: Redis takes it once.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_SHARED_LEDGER_H_
#define PCAP_GATEWAY_SERVICE_SHARED_SHARED_LEDGER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/shared/redis_client.h"
#include "service/source/ledger.h"

namespace pcap_gateway {

// What Redis is asked to run. Its arguments: see LedgerArguments.
absl::string_view SpendScript();

class SharedLedger final : public Ledger {
 public:
  // Whoever owns `redis` stops it while the ledger's users are still there. The clock outlives it.
  // `script`: what Redis runs, SpendScript() or one around it.
  SharedLedger(std::shared_ptr<RedisClient> redis, const Clock& clock,
               absl::string_view script = SpendScript());

  void Spend(LedgerEntry entry, Done done) override;

  void Over(const Credential& credential, absl::string_view caller,
            std::optional<int64_t> granted_in, int sendings) override;

  void Block(const Credential& credential, absl::Duration how_long) override;

  // More credentials with something to tell are not remembered at once. Forgotten are first those
  // whose requests Redis has granted, and counts until it gives them up (budget_rules.h:
  // kLongestRequest); then half of the others, whose requests the other replicas never count.
  static constexpr size_t kMostTellings = 10'000;
  size_t tellings() const { return tellings_.size(); }

 private:
  // What became of requests, as the script takes it.
  struct Report {
    std::map<int64_t, int64_t> over;                                // by what they were granted in
    std::map<std::pair<int64_t, std::string>, int64_t> given_back;  // and by the caller
    int64_t more = 0;                                               // sent again
    std::map<absl::Time, int64_t> alone;                            // by when, to the second

    bool has_uncounted() const { return more > 0 || !alone.empty(); }
    bool empty() const { return over.empty() && given_back.empty() && more == 0 && alone.empty(); }
  };
  // What is to be told of one credential.
  struct Telling {
    Report next;
    Report under_way;         // with `number`, until an answer says that it has come
    bool is_carried = false;  // by a Spend that is not answered yet
    int64_t number = 0;
    absl::Time as_of;  // of the last entry
  };

  void RunScript(std::vector<std::string> arguments, bool by_name, RedisClient::Done done);
  std::vector<std::string> TakeReport(const LedgerEntry& entry, int64_t& number);
  void Reported(const Partition& partition, int64_t number, bool taken);
  void MakeRoomForTelling(absl::Time now);

  const std::shared_ptr<RedisClient> redis_;
  const Clock& clock_;
  const std::string script_;
  const std::string script_name_;                     // Redis'
  const std::string instance_;                        // this replica's name
  absl::flat_hash_map<Partition, Telling> tellings_;  // where there is something to tell
  size_t sweep_at_ = 0;                               // so many
  int64_t last_number_ = 0;
};

// The script's answer, each number within its bounds; absent: it is none. Whatever the answer says,
// nobody waits longer than the entry's window, or its longest block.
std::optional<LedgerWord> LedgerWordFrom(const RedisReply& reply, const LedgerEntry& entry);

// The script's arguments except the keys, and without a report.
std::vector<std::string> LedgerArguments(const LedgerEntry& entry, absl::string_view instance,
                                         int64_t report_number);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_SHARED_LEDGER_H_
