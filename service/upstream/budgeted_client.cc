#include "service/upstream/budgeted_client.h"

#include <iterator>
#include <utility>

#include "absl/hash/hash.h"
#include "service/base/mutex.h"

namespace pcap_gateway {
namespace {

// Credentials that are looked at, to find one that may be forgotten. Those that may are at the end.
constexpr int kMostLooks = 100;

Spending SpendingOf(const HttpRequest& request) {
  return {.question = absl::HashOf(request.url),
          .caller = request.caller == nullptr ? absl::string_view() : *request.caller,
          .background = NobodyWaits(request)};
}

}  // namespace

BudgetedClient::BudgetedClient(HttpClient& inner, const BudgetPolicy& policy, Ledger* ledger,
                               const Clock& clock)
    : inner_(inner), policy_(policy), ledger_(ledger), clock_(clock) {}

Ticket BudgetedClient::Send(HttpRequest request, Done done) {
  const absl::Time now = clock_.Now();
  const Spending spending = SpendingOf(request);
  std::optional<std::variant<Grant, Refusal>> said;  // absent: the ledger is to say
  {
    const Lock lock(mutex_);
    Budget& budget = AccountOf(*request.credential).budget;
    budget.Ask(spending, now);
    if (ledger_ == nullptr || budget.BarredUntil(now).has_value()) {
      said = budget.Spend(spending, now);
    }
  }
  if (!said.has_value()) return AskLedger(std::move(request), std::move(done));
  if (const auto* refusal = std::get_if<Refusal>(&*said)) {
    Withhold(NobodyWaits(request), *refusal, std::move(done));
    return {};
  }
  return SendNow(std::move(request), std::get<Grant>(*std::move(said)), std::nullopt,
                 std::move(done));
}

Ticket BudgetedClient::AskLedger(HttpRequest request, Done done) {
  LedgerEntry entry{.credential = request.credential,
                    .question = request.url,
                    .caller = std::string(SpendingOf(request).caller),
                    .background = NobodyWaits(request),
                    .reserve = policy_.reserve,
                    .window = policy_.window,
                    .longest_block = policy_.longest_block};
  {
    const Lock lock(mutex_);
    const Budget& budget = AccountOf(*request.credential).budget;
    entry.limit = budget.limit();
    entry.hold = budget.hold();
  }
  auto asking = std::make_shared<Asking>();
  asking->request = std::move(request);
  asking->done = std::move(done);
  ledger_->Spend(std::move(entry),
                 [this, asking](const std::optional<LedgerWord>& word) { Heard(*asking, word); });
  return Ticket([asking] {
    if (asking->done) {
      std::exchange(asking->done, nullptr)(
          TransportFailure{TransportFailure::Kind::kCancelled, "cancelled", /*sendings=*/0});
    } else {
      asking->ticket.Cancel();
    }
  });
}

void BudgetedClient::Heard(Asking& asking, const std::optional<LedgerWord>& word) {
  const HttpRequest& request = asking.request;
  const absl::Time now = clock_.Now();
  std::optional<int64_t> granted_in;
  if (word.has_value() && !word->refusal.has_value()) granted_in = word->granted_in;
  if (!asking.done) {  // cancelled in the meantime
    if (granted_in.has_value()) GiveBack(request, *granted_in);
    return;
  }
  std::variant<Grant, Refusal> said;
  if (!word.has_value()) stats_.alone.Add();
  {
    const Lock lock(mutex_);
    Budget& budget = AccountOf(*request.credential).budget;
    if (!word.has_value()) {
      said = budget.Spend(SpendingOf(request), now);
    } else if (word->refusal.has_value()) {
      said = *word->refusal;
    } else {
      said = budget.SpendGranted(SpendingOf(request), now);
    }
    // In this order: a request that was granted is no longer part of what is left.
    if (word.has_value()) budget.ShareWith(word->replicas, word->left, now);
  }
  Done done = std::exchange(asking.done, nullptr);
  if (const auto* refusal = std::get_if<Refusal>(&said)) {
    if (granted_in.has_value()) GiveBack(request, *granted_in);
    return Withhold(NobodyWaits(request), *refusal, std::move(done));
  }
  asking.ticket = SendNow(std::move(asking.request), std::get<Grant>(std::move(said)), granted_in,
                          std::move(done));
}

// What the ledger granted and was not sent.
void BudgetedClient::GiveBack(const HttpRequest& request, int64_t granted_in) {
  ledger_->Over(*request.credential, SpendingOf(request).caller, granted_in, 0);
}

void BudgetedClient::Withhold(bool background, const Refusal& refusal, Done done) {
  const bool is_callers = refusal.limit == Refusal::Limit::kCaller;
  (background   ? stats_.withheld_background
   : is_callers ? stats_.withheld_caller
                : stats_.withheld)
      .Add();
  std::move(done)(Withheld{.kind = Withheld::Kind::kOverBudget,
                           .retry_after = refusal.wait,
                           .limit = refusal.limit,
                           .place_kept = refusal.place_kept});
}

Ticket BudgetedClient::SendNow(HttpRequest request, Grant grant, std::optional<int64_t> granted_in,
                               Done done) {
  const std::shared_ptr<const Credential> credential = request.credential;
  if (request.sink != nullptr) {
    request.on_content.emplace_back([this, credential, grant](const HttpAnswer& head) {
      const Lock lock(mutex_);
      Account& account = AccountOf(*credential);
      account.budget.Began(grant, head, clock_.Now());
      account.is_unknown = false;
    });
  }
  return inner_.Send(std::move(request), [this, credential, grant = std::move(grant), granted_in,
                                          done = std::move(done)](HttpResult result) mutable {
    const auto* answer = HasBegun(result) ? nullptr : std::get_if<HttpAnswer>(&result);
    Ended(credential, grant, granted_in, SendingsOf(result), answer);
    std::move(done)(std::move(result));
  });
}

void BudgetedClient::Ended(const std::shared_ptr<const Credential>& credential, const Grant& grant,
                           std::optional<int64_t> granted_in, int sendings,
                           const HttpAnswer* answer) {
  const absl::Time now = clock_.Now();
  std::optional<absl::Time> blocked;
  bool is_to_forget = false;
  {
    const Lock lock(mutex_);
    Account& account = AccountOf(*credential);
    account.budget.Ended(grant, sendings, answer, now);
    blocked = account.budget.BlockedUntil(now);
    if (answer == nullptr) {
      if (sendings > 0) account.is_unknown = false;  // it may have been counted
    } else if (answer->status != 400) {              // of a malformed one, or of other faults
      account.is_unknown = answer->status == 401;
    }
    is_to_forget = answer != nullptr && account.is_unknown;
    if (is_to_forget) by_use_.splice(by_use_.end(), by_use_, account.place);
  }
  // Whoever makes credentials up makes up many.
  if (ledger_ != nullptr && !is_to_forget) {
    ledger_->Over(*credential, grant.caller, granted_in, sendings);
  }
  if (answer == nullptr || answer->status != 429) return;
  stats_.blocked.Add();
  if (ledger_ != nullptr && blocked.has_value()) ledger_->Block(*credential, *blocked - now);
}

// One at a time, so that the loop waits for no more than that.
std::vector<BudgetView> BudgetedClient::Views(size_t most) {
  std::vector<Partition> used;
  {
    const Lock lock(mutex_);
    for (auto next = by_use_.begin(); next != by_use_.end() && used.size() < most; ++next) {
      used.push_back(*next);
    }
  }
  std::vector<BudgetView> views;
  views.reserve(used.size());
  for (const Partition& partition : used) {
    const absl::Time now = clock_.Now();
    const Lock lock(mutex_);
    const auto found = accounts_.find(partition);
    if (found == accounts_.end()) continue;  // forgotten since
    Account& account = *found->second;
    views.push_back(
        {.partition = partition,
         .owner = account.owner,
         .limit = account.budget.limit(),
         .left = account.budget.left(now),
         .blocked_until = account.budget.BlockedUntil(now).value_or(absl::InfinitePast()),
         .callers = account.budget.LargestCallers(BudgetView::kMostCallers, now)});
  }
  return views;
}

BudgetedClient::Account& BudgetedClient::AccountOf(const Credential& credential) {
  const Partition& partition = credential.partition();
  std::unique_ptr<Account>& account = accounts_[partition];
  if (account != nullptr) {
    by_use_.splice(by_use_.begin(), by_use_, account->place);
    return *account;
  }
  account = std::make_unique<Account>(policy_, credential.owner());
  Account& added = *account;
  added.place = by_use_.insert(by_use_.begin(), partition);
  if (by_use_.size() > kMostAccounts) MakeRoom(clock_.Now());
  return added;
}

// Of the credentials that were not used for longest, the first that may be forgotten.
void BudgetedClient::MakeRoom(absl::Time now) {
  int looked_at = 0;
  for (auto last = std::prev(by_use_.end()); last != by_use_.begin() && looked_at < kMostLooks;
       --last, ++looked_at) {
    Account& account = *accounts_.at(*last);
    const bool counts = account.budget.in_use(now) && !account.is_unknown;
    if (counts || account.budget.is_waiting()) continue;
    accounts_.erase(*last);
    by_use_.erase(last);
    return;
  }
}

}  // namespace pcap_gateway
