#include "service/upstream/budgeted_client.h"

#include <utility>

#include "absl/hash/hash.h"

namespace pcap_gateway {

BudgetedClient::BudgetedClient(HttpClient& inner, const BudgetPolicy& policy, const Clock& clock)
    : inner_(inner), policy_(policy), clock_(clock) {}

Ticket BudgetedClient::Send(HttpRequest request, Done done) {
  const Partition partition = request.credential->partition();
  Account& account = AccountOf(partition);
  const absl::Time now = clock_.Now();
  const auto later = account.budget.Spend(absl::HashOf(request.url), request.background, now);
  if (later.has_value()) {
    (request.background ? stats_.withheld_background : stats_.withheld).Add();
    std::move(done)(Withheld{Withheld::Kind::kOverBudget, *later - now});
    return {};
  }
  ++account.in_flight;
  return inner_.Send(std::move(request),
                     [this, partition, done = std::move(done)](HttpResult result) mutable {
                       Learn(partition, result);
                       std::move(done)(std::move(result));
                     });
}

void BudgetedClient::Learn(const Partition& partition, const HttpResult& result) {
  Account& account = AccountOf(partition);
  if (account.in_flight > 0) --account.in_flight;  // it may have been forgotten in between
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) {
    account.budget.Learn(*answer, account.in_flight, clock_.Now());
    if (answer->status == 429) stats_.blocked.Add();
  }
}

BudgetedClient::Account& BudgetedClient::AccountOf(const Partition& partition) {
  std::unique_ptr<Account>& account = accounts_[partition];
  if (account != nullptr) {
    by_use_.splice(by_use_.begin(), by_use_, account->place);
    return *account;
  }
  account = std::make_unique<Account>(policy_);
  Account& added = *account;
  added.place = by_use_.insert(by_use_.begin(), partition);
  if (by_use_.size() > kMostAccounts) {
    accounts_.erase(by_use_.back());
    by_use_.pop_back();
  }
  return added;
}

}  // namespace pcap_gateway
