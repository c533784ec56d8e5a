// BudgetedClient: withholds requests that would break Cloudflare's rate limit. One Budget a
// credential, and with other replicas one Ledger for all of them.
//
// The ledger decides while it can be asked. The own count goes on beside it, and takes over when it
// cannot: then this replica keeps to its part of what was left.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_

#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "service/source/clock.h"
#include "service/source/counter.h"
#include "service/source/ledger.h"
#include "service/upstream/budget.h"
#include "service/upstream/http_client.h"
#include "service/upstream/loop.h"

namespace pcap_gateway {

// Written by the loop's thread, read by any.
struct BudgetStats {
  Counter withheld;             // calls
  Counter withheld_background;  // refreshes
  Counter blocked;              // answers with 429
  Counter alone;                // requests that the ledger could not be asked about
};

// What one credential may still send, as far as this replica knows.
struct BudgetView {
  Partition partition{};
  Credential::Owner owner = Credential::Owner::kGateway;
  int64_t limit = 0;  // requests in any five minutes
  int64_t left = 0;   // would be granted at once
  // Until when Cloudflare answers nothing; infinite past: it does.
  absl::Time blocked_until = absl::InfinitePast();
};

class BudgetedClient final : public HttpClient {
 public:
  // All outlive it. `ledger`: null, or what it shares with other replicas; its answers come by way
  // of `loop`.
  BudgetedClient(Loop& loop, HttpClient& inner, const BudgetPolicy& policy, Ledger* ledger,
                 const Clock& clock);

  Ticket Send(HttpRequest request, Done done) override;

  const BudgetStats& stats() const { return stats_; }

  // Of the credentials last used, the latest first, and of no more than `most`. Any thread but the
  // loop's: waits for it, up to a fifth of a second. Absent: it is too busy, or has stopped.
  std::optional<std::vector<BudgetView>> Views(size_t most);

 private:
  struct Account {
    Account(const BudgetPolicy& policy, Credential::Owner owner) : budget(policy), owner(owner) {}

    Budget budget;
    const Credential::Owner owner;
    int64_t in_flight = 0;
    std::list<Partition>::iterator place;  // in by_use_
  };
  // A request that the ledger is being asked about.
  struct Asking {
    HttpRequest request;
    Done done;      // empty once it was called, or passed on
    Ticket ticket;  // of the request, once it is sent
  };

  // Beyond that many, the credential that was not used for longest is forgotten: by far more than
  // can be active within five minutes without breaking Cloudflare's limit for one address.
  static constexpr size_t kMostAccounts = 10'000;

  Ticket AskLedger(HttpRequest request, Done done);
  void Heard(Asking& asking, const std::optional<LedgerWord>& word);
  void Withhold(bool background, absl::Duration retry_after, Done done);
  Ticket SendNow(HttpRequest request, Done done);
  Account& AccountOf(const Credential& credential);
  void Learn(const Credential& credential, const HttpResult& result);

  Loop& loop_;
  HttpClient& inner_;
  const BudgetPolicy policy_;
  Ledger* const ledger_;
  const Clock& clock_;
  BudgetStats stats_;
  absl::flat_hash_map<Partition, std::unique_ptr<Account>> accounts_;
  std::list<Partition> by_use_;  // the latest first
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_
