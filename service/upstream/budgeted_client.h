// BudgetedClient: withholds requests that would break Cloudflare's rate limit. One Budget a
// credential.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_

#include <list>

#include "absl/container/flat_hash_map.h"
#include "service/source/clock.h"
#include "service/source/counter.h"
#include "service/upstream/budget.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

// Written by the loop's thread, read by any.
struct BudgetStats {
  Counter withheld;             // calls
  Counter withheld_background;  // refreshes
  Counter blocked;              // answers with 429
};

class BudgetedClient final : public HttpClient {
 public:
  // Both outlive it.
  BudgetedClient(HttpClient& inner, const BudgetPolicy& policy, const Clock& clock);

  Ticket Send(HttpRequest request, Done done) override;

  const BudgetStats& stats() const { return stats_; }

 private:
  struct Account {
    explicit Account(const BudgetPolicy& policy) : budget(policy) {}

    Budget budget;
    int64_t in_flight = 0;
    std::list<Partition>::iterator place;  // in by_use_
  };

  // Beyond that many, the credential that was not used for longest is forgotten: by far more than
  // can be active within five minutes without breaking Cloudflare's limit for one address.
  static constexpr size_t kMostAccounts = 10'000;

  Account& AccountOf(const Partition& partition);
  void Learn(const Partition& partition, const HttpResult& result);

  HttpClient& inner_;
  const BudgetPolicy policy_;
  const Clock& clock_;
  BudgetStats stats_;
  absl::flat_hash_map<Partition, std::unique_ptr<Account>> accounts_;
  std::list<Partition> by_use_;  // the latest first
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGETED_CLIENT_H_
