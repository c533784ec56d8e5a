// BudgetedClient: withholds requests that would break Cloudflare's rate limit. One Budget a
// credential, and with other replicas one Ledger for all of them.
//
// The ledger decides while it can be asked. The own count goes on beside it, and binds whatever the
// ledger grants; it takes over when the ledger cannot be asked: then this replica keeps to its part
// of what was left, and tells the ledger afterwards what it spent.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_

#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/base/mutex.h"
#include "service/source/ledger.h"
#include "service/upstream/budget.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

// Written by the loop's thread, read by any.
struct BudgetStats {
  Counter withheld;             // calls, as the credential's limit was reached
  Counter withheld_caller;      // calls, as their caller has had its part
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
  // Who has spent most of it here, the first one first; no more than kMostCallers.
  std::vector<CallerView> callers;

  static constexpr size_t kMostCallers = 10;
};

class BudgetedClient final : public HttpClient {
 public:
  // All outlive it. `ledger`: null, or what it shares with other replicas.
  BudgetedClient(HttpClient& inner, const BudgetPolicy& policy, Ledger* ledger, const Clock& clock);

  Ticket Send(HttpRequest request, Done done) override;

  const BudgetStats& stats() const { return stats_; }

  // Of the credentials last used, the latest first, and of no more than `most`. Any thread; waits
  // neither for the loop nor for long.
  std::vector<BudgetView> Views(size_t most);

 private:
  struct Account {
    Account(const BudgetPolicy& policy, Credential::Owner owner) : budget(policy), owner(owner) {}

    Budget budget;
    const Credential::Owner owner;
    std::list<Partition>::iterator place;  // in by_use_
    // Cloudflare has not shown that it knows the credential: of one that it does not know it keeps
    // no count either.
    bool is_unknown = true;
  };
  // A request that the ledger is being asked about.
  struct Asking {
    HttpRequest request;
    Done done;      // empty once it was called, or passed on
    Ticket ticket;  // of the request, once it is sent
  };

  // Of more credentials, those are forgotten that were not used for longest: but none that has
  // spent something within the window, so that nobody can make a count begin again.
  static constexpr size_t kMostAccounts = 10'000;

  Ticket AskLedger(HttpRequest request, Done done);
  void Heard(Asking& asking, const std::optional<LedgerWord>& word);
  void GiveBack(const HttpRequest& request, int64_t granted_in);
  void Withhold(bool background, const Refusal& refusal, Done done);
  Ticket SendNow(HttpRequest request, Grant grant, std::optional<int64_t> granted_in, Done done);
  Account& AccountOf(const Credential& credential) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeRoom(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ended(const std::shared_ptr<const Credential>& credential, const Grant& grant,
             std::optional<int64_t> granted_in, int sendings, const HttpAnswer* answer);

  HttpClient& inner_;
  const BudgetPolicy policy_;
  Ledger* const ledger_;
  const Clock& clock_;
  BudgetStats stats_;
  // What it guards is the loop's thread's except for those who look on. Nobody is called under it.
  Mutex mutex_;
  absl::flat_hash_map<Partition, std::unique_ptr<Account>> accounts_ ABSL_GUARDED_BY(mutex_);
  std::list<Partition> by_use_ ABSL_GUARDED_BY(mutex_);  // the latest first
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_
