#include "tests/history/write_history.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostInWords = 10;

std::pair<std::string, std::string> IdsOf(const Key& key) {
  return {key.account.ToString(), key.resource.ToString()};
}

}  // namespace

void NotedMemory::Claim(const NamedWrite& write, Done done) {
  inner_.Claim(write, [this, name = write.name, done = std::move(done)](Known known) mutable {
    if (known.kind == Known::Kind::kOurs) {
      const std::lock_guard lock(mutex_);
      claimed_[name] = chaos_.events();
    }
    std::move(done)(std::move(known));
  });
}

std::optional<uint64_t> NotedMemory::ClaimedAt(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = claimed_.find(name);
  return found == claimed_.end() ? std::nullopt : std::optional(found->second);
}

void WriteHistory::Begin(const WriteRecord& call) {
  const std::lock_guard lock(mutex_);
  const auto [calls, is_first] = calls_.try_emplace(call.written, Calls{.events = call.events});
  calls->second.events = std::min(calls->second.events, call.events);
  ++calls->second.open;
}

void WriteHistory::Add(const WriteRecord& call) {
  const std::lock_guard lock(mutex_);
  const Outcome& outcome = *call.reply.outcome;
  ++answers_[absl::StrCat(
      call.written.empty() ? "read: " : "write: ",
      outcome.ok() ? "answered" : absl::StrCat("failed, ", NameOf(outcome.error->reason)))];
  if (call.written.empty()) {
    AddRead(call);
  } else {
    AddWrite(call);
  }
}

void WriteHistory::AddRead(const WriteRecord& call) {
  if (!call.reply.outcome->ok()) return;
  const int64_t number = SimulatedUpstream::NumberOf(*call.reply.outcome);
  const Exchange exchange = upstream_.exchange(number);
  const auto found = successes_.find(IdsOf(call.key));
  if (found == successes_.end()) return;
  const uint64_t now = chaos_.events();
  bool is_checked = false;
  for (const Success& success : found->second) {
    const bool is_own = success.sender == call.gateway;
    if (success.ended >= call.came) continue;
    const Calls& calls = calls_[success.written];
    if (!is_own && (!calls.was_told || calls.open > 0 || calls.events != now)) continue;
    is_checked = true;
    Check(exchange.answered >= success.answered, is_own ? "before, own" : "before, other",
          absl::StrCat("gateway ", call.gateway, " read ", call.key.resource.ToString(),
                       ", exchange ", number, " answered ",
                       absl::FormatDuration(success.answered - exchange.answered),
                       " before the write, which ended ",
                       absl::FormatDuration(call.came - success.ended), " before the call, events ",
                       now, ", how ", static_cast<int>(call.reply.cache_status.how), ", stale ",
                       call.reply.cache_status.stale_if_error));
  }
  if (is_checked) ++checked_reads_;
}

void WriteHistory::AddWrite(const WriteRecord& call) {
  if (call.has_name) named_.insert(call.written);
  Calls& calls = calls_[call.written];
  --calls.open;
  calls.was_told = calls.was_told && call.was_told;
  const Outcome& outcome = *call.reply.outcome;
  const int64_t number = SimulatedUpstream::NumberOf(outcome);
  if (number < 0) return;  // it never got to the upstream
  const Exchange exchange = upstream_.exchange(number);
  Check(exchange.written == call.written, "crossed",
        absl::StrCat(call.written, " was told of ", exchange.written));
  if (!outcome.ok()) return;
  const auto [told, is_new] = told_.try_emplace({call.gateway, call.written}, outcome.message);
  Check(is_new || told->second == outcome.message, "another",
        absl::StrCat(call.written, ": exchange ", told->second, " and ", outcome.message));
  std::vector<Success>& successes = successes_[IdsOf(call.key)];
  successes.push_back({.sender = exchange.gateway,
                       .written = call.written,
                       .ended = call.ended,
                       .answered = exchange.answered});
}

void WriteHistory::CheckSent(const std::vector<const NotedMemory*>& memories) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::vector<Exchange>> changed;
  std::map<std::string, int> sent;
  for (const Exchange& exchange : upstream_.all()) {
    if (exchange.written.empty()) continue;
    ++sent[exchange.written];
    if (exchange.changed) changed[exchange.written].push_back(exchange);
  }
  for (const auto& [written, times] : sent) {
    Check(named_.contains(written) || times == 1, "twice",
          absl::StrCat(written, " has no name, and was sent ", times, " times"));
  }
  for (const auto& [written, exchanges] : changed) {
    std::map<int, int> by_gateway;
    // The calls may have been cancelled, and the claim come after.
    const uint64_t events = calls_[written].events;
    bool claimed_in_calm = events % 2 == 0;  // else something was befalling it
    for (const Exchange& exchange : exchanges) {
      ++by_gateway[exchange.gateway];
      const auto gateway = static_cast<size_t>(exchange.gateway);
      claimed_in_calm = claimed_in_calm && memories[gateway]->ClaimedAt(written) == events;
    }
    for (const auto& [gateway, times] : by_gateway) {
      Check(times == 1, "twice",
            absl::StrCat(written, " was done ", times, " times by gateway ", gateway));
    }
    Check(by_gateway.size() == 1 || !claimed_in_calm, "twice, by two gateways", written);
  }
}

void WriteHistory::Check(bool holds, const char* rule, const std::string& words) {
  if (holds) return;
  ++violations_[rule];
  if (first_violations_.size() < kMostInWords) {
    first_violations_.push_back(absl::StrCat(rule, ": ", words));
  }
}

int64_t WriteHistory::violations() const {
  const std::lock_guard lock(mutex_);
  int64_t sum = 0;
  for (const auto& [rule, count] : violations_) sum += count;
  return sum;
}

std::ostream& operator<<(std::ostream& out, const WriteHistory& history) {
  const std::lock_guard lock(history.mutex_);
  for (const auto& [kind, count] : history.answers_) out << "  " << kind << ": " << count << "\n";
  out << "  reads after a write that succeeded: " << history.checked_reads_ << "\n";
  for (const auto& [rule, count] : history.violations_) {
    out << "  VIOLATED, " << rule << ": " << count << "\n";
  }
  for (const std::string& words : history.first_violations_) out << "    " << words << "\n";
  return out;
}

}  // namespace pcap_gateway
