#include "service/upstream/budgeted_client.h"

#include <chrono>
#include <future>
#include <iterator>
#include <utility>

#include "absl/hash/hash.h"

namespace pcap_gateway {
namespace {

// For who looks on: a scrape or a page is not to wait for a loop that hangs.
constexpr std::chrono::milliseconds kPatience(200);

// Credentials that are looked at, to find one that may be forgotten. Those that may are at the end.
constexpr int kMostLooks = 100;

Spending SpendingOf(const HttpRequest& request) {
  return {.question = absl::HashOf(request.url),
          .caller = request.caller == nullptr ? absl::string_view() : *request.caller,
          .background = NobodyWaits(request)};
}

}  // namespace

BudgetedClient::BudgetedClient(Loop& loop, HttpClient& inner, const BudgetPolicy& policy,
                               Ledger* ledger, const Clock& clock)
    : loop_(loop), inner_(inner), policy_(policy), ledger_(ledger), clock_(clock) {}

Ticket BudgetedClient::Send(HttpRequest request, Done done) {
  const absl::Time now = clock_.Now();
  Budget& budget = AccountOf(*request.credential).budget;
  const Spending spending = SpendingOf(request);
  budget.Ask(spending, now);
  if (ledger_ != nullptr && !budget.BarredUntil(now).has_value()) {
    return AskLedger(std::move(request), std::move(done));
  }
  auto word = budget.Spend(spending, now);
  if (const auto* refusal = std::get_if<Refusal>(&word)) {
    Withhold(NobodyWaits(request), *refusal, std::move(done));
    return {};
  }
  return SendNow(std::move(request), std::get<Grant>(std::move(word)), std::nullopt,
                 std::move(done));
}

Ticket BudgetedClient::AskLedger(HttpRequest request, Done done) {
  const Budget& budget = AccountOf(*request.credential).budget;
  LedgerEntry entry{.credential = request.credential,
                    .question = request.url,
                    .caller = std::string(SpendingOf(request).caller),
                    .background = NobodyWaits(request),
                    .limit = budget.limit(),
                    .reserve = policy_.reserve,
                    .hold = budget.hold(),
                    .window = policy_.window,
                    .longest_block = policy_.longest_block};
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
  Budget& budget = AccountOf(*request.credential).budget;
  std::optional<int64_t> granted_in;
  if (word.has_value() && !word->refusal.has_value()) granted_in = word->granted_in;
  if (!asking.done) {  // cancelled in the meantime
    if (granted_in.has_value()) GiveBack(request, *granted_in);
    return;
  }
  std::variant<Grant, Refusal> said;
  if (!word.has_value()) {
    stats_.alone.Add();
    said = budget.Spend(SpendingOf(request), now);
  } else if (word->refusal.has_value()) {
    said = *word->refusal;
  } else {
    said = budget.SpendGranted(SpendingOf(request), now);
  }
  // In this order: a request that was granted is no longer part of what is left.
  if (word.has_value()) budget.ShareWith(word->replicas, word->left, now);
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
  return inner_.Send(std::move(request), [this, credential, grant = std::move(grant), granted_in,
                                          done = std::move(done)](HttpResult result) mutable {
    Ended(credential, grant, granted_in, result);
    std::move(done)(std::move(result));
  });
}

void BudgetedClient::Ended(const std::shared_ptr<const Credential>& credential, const Grant& grant,
                           std::optional<int64_t> granted_in, const HttpResult& result) {
  Account& account = AccountOf(*credential);
  const auto* answer = std::get_if<HttpAnswer>(&result);
  const int sendings = SendingsOf(result);
  const absl::Time now = clock_.Now();
  account.budget.Ended(grant, sendings, answer, now);
  if (ledger_ != nullptr) ledger_->Over(*credential, grant.caller, granted_in, sendings);
  if (answer == nullptr) return;
  account.is_unknown = answer->status == 401;
  // The first to be forgotten.
  if (account.is_unknown) by_use_.splice(by_use_.end(), by_use_, account.place);
  if (answer->status != 429) return;
  stats_.blocked.Add();
  const std::optional<absl::Time> blocked = account.budget.BlockedUntil(now);
  if (ledger_ != nullptr && blocked.has_value()) ledger_->Block(*credential, *blocked - now);
}

std::optional<std::vector<BudgetView>> BudgetedClient::Views(size_t most) {
  auto promise = std::make_shared<std::promise<std::vector<BudgetView>>>();
  std::future<std::vector<BudgetView>> views = promise->get_future();
  loop_.Post([this, promise, most] {
    const absl::Time now = clock_.Now();
    std::vector<BudgetView> all;
    for (auto used = by_use_.begin(); used != by_use_.end() && all.size() < most; ++used) {
      Account& account = *accounts_.at(*used);
      all.push_back(
          {.partition = *used,
           .owner = account.owner,
           .limit = account.budget.limit(),
           .left = account.budget.left(now),
           .blocked_until = account.budget.BlockedUntil(now).value_or(absl::InfinitePast()),
           .callers = account.budget.LargestCallers(BudgetView::kMostCallers, now)});
    }
    promise->set_value(std::move(all));
  });
  if (views.wait_for(kPatience) != std::future_status::ready) return std::nullopt;
  return views.get();
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
