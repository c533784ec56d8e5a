#include "service/gateway_status.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace pcap_gateway {
namespace {

// Enough for a gateway's own credential and its busiest tenants.
constexpr size_t kMostBudgets = 20;
constexpr size_t kMostWatched = 20;
// Of a credential's SHA-256: enough to tell one from another by eye.
constexpr size_t kFingerprintBytes = 4;

const char* CircuitOf(const BreakerClient* breaker) {
  constexpr const char* kStates[] = {"closed", "half-open", "open"};
  return breaker == nullptr ? "none" : kStates[breaker->stats().state.load()];
}

std::vector<StatusReport::Budget> BudgetsOf(BudgetedClient* budgeted, absl::Time now) {
  std::vector<StatusReport::Budget> budgets;
  if (budgeted == nullptr) return budgets;
  for (const BudgetView& view : budgeted->Views(kMostBudgets)) {
    StatusReport::Budget& budget = budgets.emplace_back();
    budget.fingerprint = absl::BytesToHexString(
        absl::string_view(reinterpret_cast<const char*>(view.partition.data()), kFingerprintBytes));
    budget.of_gateway = view.owner == Credential::Owner::kGateway;
    budget.limit = view.limit;
    budget.left = view.left;
    if (view.blocked_until > now) budget.blocked_until = view.blocked_until;
    for (const CallerView& caller : view.callers) {
      budget.callers.push_back({caller.name, caller.spent, caller.demand});
    }
  }
  return budgets;
}

std::vector<StatusReport::Watched> WatchedOf(const Watches& watches) {
  std::vector<StatusReport::Watched> watched;
  for (const Watches::Audience& audience : watches.Largest(kMostWatched)) {
    watched.push_back({audience.caller, audience.account.ToString(), audience.watches});
  }
  return watched;
}

StatusReport::Upstream UpstreamOf(const StatusFacts& facts, const MeteredParts& parts) {
  const CurlStats& stats = parts.curl->stats();
  StatusReport::Upstream upstream{.url = facts.upstream_url,
                                  .circuit = CircuitOf(parts.breaker),
                                  .requests = stats.started.Value(),
                                  .withheld = parts.limited->stats().refused.Value(),
                                  .in_flight = parts.limited->stats().in_flight.load(),
                                  .queued = parts.limited->stats().waiting.load() +
                                            parts.limited->stats().refreshes_waiting.load()};
  if (parts.retrying != nullptr) upstream.retries = parts.retrying->stats().retries.Value();
  if (parts.breaker != nullptr) upstream.withheld += parts.breaker->stats().withheld.Value();
  if (parts.budgeted != nullptr) {
    upstream.withheld +=
        parts.budgeted->stats().withheld.Value() + parts.budgeted->stats().withheld_caller.Value();
  }
  for (size_t i = 0; i < stats.answered.size(); ++i) {
    upstream.answers.emplace_back(absl::StrCat(i + 1, "xx"), stats.answered[i].Value());
  }
  for (size_t i = 0; i < stats.failed.size(); ++i) {
    const auto kind = static_cast<TransportFailure::Kind>(i);
    upstream.failures.emplace_back(std::string(NameOf(kind)), stats.failed[i].Value());
  }
  return upstream;
}

}  // namespace

StatusFigures FiguresOf(const MeteredParts& parts, const Clock& clock) {
  StatusFigures figures{.at = clock.Now()};
  for (const MethodStats& method : parts.calls->of) {
    figures.durations.Add(method.handling.Snapshot());
    figures.answered += method.handled[0].Value();
    for (size_t code = 1; code < method.handled.size(); ++code) {
      (IsFault(static_cast<absl::StatusCode>(code)) ? figures.faults : figures.refused) +=
          method.handled[code].Value();
    }
  }
  if (parts.cache != nullptr) {
    figures.hits = parts.cache->stats().hits.Value();
    figures.misses = parts.cache->stats().misses.Value();
  }
  figures.budget_left = parts.budget_limit;
  if (parts.budgeted != nullptr) {
    for (const BudgetView& view : parts.budgeted->Views(1)) {
      figures.budget_left = view.left;
    }
  }
  return figures;
}

StatusReport ReportOf(const StatusFacts& facts, const MeteredParts& parts, const Server& server,
                      const Clock& clock) {
  StatusReport report{.version = facts.version,
                      .address = server.address(),
                      .tls = facts.tls,
                      .serving = server.serving(),
                      .started = facts.started,
                      .waiting_calls = parts.calls->waiting.load(),
                      .now = FiguresOf(parts, clock),
                      .upstream = UpstreamOf(facts, parts)};
  if (parts.cache != nullptr) {
    const CacheStats& stats = parts.cache->stats();
    const auto store = parts.cache->store_stats();
    report.cache = {.collapsed = stats.collapsed.Value(),
                    .stale = stats.revalidating.Value() + stats.stale_if_error.Value(),
                    .entries = static_cast<int64_t>(store.entries),
                    .bytes = static_cast<int64_t>(store.bytes),
                    .limit_bytes = parts.most_cache_bytes};
  }
  if (parts.shared != nullptr) {
    report.redis = {.up = parts.shared->redis_stats().up.load(),
                    .hits = parts.shared->stats().hits.Value(),
                    .misses = parts.shared->stats().misses.Value()};
  }
  report.watched = WatchedOf(*parts.watches);
  report.budgets = BudgetsOf(parts.budgeted, report.now.at);
  return report;
}

}  // namespace pcap_gateway
