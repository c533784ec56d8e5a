#include "service/upstream/budgeted_client.h"

#include <chrono>
#include <future>
#include <utility>

#include "absl/hash/hash.h"

namespace pcap_gateway {
namespace {

// For who looks on: a scrape or a page is not to wait for a loop that hangs.
constexpr std::chrono::milliseconds kPatience(200);

}  // namespace

BudgetedClient::BudgetedClient(Loop& loop, HttpClient& inner, const BudgetPolicy& policy,
                               Ledger* ledger, const Clock& clock)
    : loop_(loop), inner_(inner), policy_(policy), ledger_(ledger), clock_(clock) {}

Ticket BudgetedClient::Send(HttpRequest request, Done done) {
  const absl::Time now = clock_.Now();
  Budget& budget = AccountOf(*request.credential).budget;
  if (ledger_ != nullptr && !budget.BlockedUntil(now).has_value()) {
    return AskLedger(std::move(request), std::move(done));
  }
  const auto later = budget.Spend(absl::HashOf(request.url), request.background, now);
  if (later.has_value()) {
    Withhold(request.background, *later - now, std::move(done));
    return {};
  }
  return SendNow(std::move(request), std::move(done));
}

Ticket BudgetedClient::AskLedger(HttpRequest request, Done done) {
  LedgerEntry entry{.credential = request.credential,
                    .question = request.url,
                    .background = request.background,
                    .limit = AccountOf(*request.credential).budget.limit(),
                    .reserve = policy_.reserve,
                    .window = policy_.window};
  auto asking = std::make_shared<Asking>();
  asking->request = std::move(request);
  asking->done = std::move(done);
  ledger_->Spend(std::move(entry), [this, asking](std::optional<LedgerWord> word) {
    loop_.Post([this, asking, word] { Heard(*asking, word); });
  });
  return Ticket([asking] {
    if (asking->done) {
      std::exchange(asking->done,
                    nullptr)(TransportFailure{TransportFailure::Kind::kCancelled, "cancelled"});
    } else {
      asking->ticket.Cancel();
    }
  });
}

void BudgetedClient::Heard(Asking& asking, const std::optional<LedgerWord>& word) {
  if (!asking.done) return;  // cancelled in the meantime
  const HttpRequest& request = asking.request;
  const absl::Time now = clock_.Now();
  Budget& budget = AccountOf(*request.credential).budget;
  std::optional<absl::Time> later;
  if (!word.has_value()) {
    stats_.alone.Add();
    later = budget.Spend(absl::HashOf(request.url), request.background, now);
  } else {
    later = word->later.has_value() ? now + *word->later : budget.SpendGranted(word->left, now);
    // In this order: this request is no longer part of what is left.
    budget.ShareWith(word->replicas, word->left, now);
  }
  Done done = std::exchange(asking.done, nullptr);
  if (later.has_value()) return Withhold(request.background, *later - now, std::move(done));
  asking.ticket = SendNow(std::move(asking.request), std::move(done));
}

void BudgetedClient::Withhold(bool background, absl::Duration retry_after, Done done) {
  (background ? stats_.withheld_background : stats_.withheld).Add();
  std::move(done)(Withheld{Withheld::Kind::kOverBudget, retry_after});
}

Ticket BudgetedClient::SendNow(HttpRequest request, Done done) {
  const std::shared_ptr<const Credential> credential = request.credential;
  ++AccountOf(*credential).in_flight;
  return inner_.Send(std::move(request),
                     [this, credential, done = std::move(done)](HttpResult result) mutable {
                       Learn(*credential, result);
                       std::move(done)(std::move(result));
                     });
}

void BudgetedClient::Learn(const Credential& credential, const HttpResult& result) {
  Account& account = AccountOf(credential);
  if (account.in_flight > 0) --account.in_flight;  // it may have been forgotten in between
  const auto* answer = std::get_if<HttpAnswer>(&result);
  if (answer == nullptr) return;
  const absl::Time now = clock_.Now();
  account.budget.Learn(*answer, account.in_flight, now);
  if (answer->status != 429) return;
  stats_.blocked.Add();
  const std::optional<absl::Time> blocked = account.budget.BlockedUntil(now);
  if (ledger_ != nullptr && blocked.has_value()) ledger_->Block(credential, *blocked - now);
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
           .blocked_until = account.budget.BlockedUntil(now).value_or(absl::InfinitePast())});
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
  if (by_use_.size() > kMostAccounts) {
    accounts_.erase(by_use_.back());
    by_use_.pop_back();
  }
  return added;
}

}  // namespace pcap_gateway
