#include "tests/history/call_history.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

constexpr size_t kMostInWords = 10;

std::string KindOf(const Reply& reply) {
  const CacheStatus& status = reply.cache_status;
  if (!reply.outcome->ok()) return absl::StrCat("failed, ", NameOf(reply.outcome->error->reason));
  if (status.stale_if_error) return "stale, on error";
  if (status.how != CacheStatus::How::kHit) return status.collapsed ? "collapsed" : "asked";
  if (status.ttl.value_or(absl::ZeroDuration()) < absl::ZeroDuration()) return "stale, revalidated";
  return status.shared ? "hit, shared" : "hit";
}

// The oldest answer that the policy gives to who takes any.
absl::Duration OldestOf(const Reply& reply, const FreshnessPolicy& policy) {
  const absl::Duration lifetime = reply.outcome->stage == Stage::kFinal
                                      ? policy.final_lifetime
                                      : policy.longest_moving_lifetime;
  return lifetime + (reply.cache_status.stale_if_error ? policy.stale_if_error
                                                       : policy.stale_while_revalidate);
}

}  // namespace

void CallHistory::Add(const CallRecord& call) {
  const std::lock_guard lock(mutex_);
  ++answers_[KindOf(call.reply)];
  if (call.reply.outcome->ok()) {
    AddAnswer(call);
  } else {
    AddFailure(call);
  }
}

void CallHistory::AddAnswer(const CallRecord& call) {
  const Outcome& outcome = *call.reply.outcome;
  const int64_t number = SimulatedUpstream::NumberOf(outcome);
  const Exchange exchange = upstream_.exchange(number);
  Check(exchange.ok && exchange.key == call.key, "crossed", call);
  Check(exchange.stage == outcome.stage, "changed", call);
  const bool final = outcome.stage == Stage::kFinal;

  // A final answer stays what it was; any later answer about the capture confirms it.
  const absl::Time seen =
      final ? std::max(exchange.began, upstream_.LatestAnswered(call.key)) : exchange.began;
  Check(seen >= call.came - call.max_age, "too old", call);
  const bool was_waited_for = exchange.ended >= call.came;
  Check(was_waited_for || seen >= call.came - OldestOf(call.reply, policy_), "stale", call);
  Check(call.reply.age >= call.came - seen, "understated", call);

  Check(exchange.began >= upstream_.LatestDenial(call.key, call.gateway, call.came), "revoked",
        call);

  const auto [told, first] = told_final_.try_emplace({call.gateway, call.key}, call.ended);
  if (!final && first) told_final_.erase(told);
  if (final && !first) told->second = std::min(told->second, call.ended);
  // With its access a credential loses what was known to it, and starts anew.
  if (!final && !first && !upstream_.WasDenied(call.key)) {
    Check(call.came <= told->second, "backwards", call);
  }
}

void CallHistory::AddFailure(const CallRecord& call) {
  const Error& error = *call.reply.outcome->error;
  const int64_t number = SimulatedUpstream::NumberOf(*call.reply.outcome);
  if (number < 0) return;  // it never got to the upstream
  const Exchange exchange = upstream_.exchange(number);
  Check(exchange.key == call.key, "crossed", call);
  const absl::Duration kept = error.code == absl::StatusCode::kNotFound
                                  ? policy_.not_found_lifetime + policy_.stale_while_revalidate
                                  : absl::ZeroDuration();
  Check(exchange.ended + kept >= call.came, "late errors", call);
}

void CallHistory::Check(bool holds, const char* rule, const CallRecord& call) {
  if (holds) return;
  ++violations_[rule];
  if (first_violations_.size() >= kMostInWords) return;
  const int64_t number = SimulatedUpstream::NumberOf(*call.reply.outcome);
  const Exchange exchange = upstream_.exchange(number);
  first_violations_.push_back(absl::StrCat(
      rule, ": gateway ", call.gateway, ", capture ", call.key.resource.ToString(), ", ",
      KindOf(call.reply), ", max_age ", absl::FormatDuration(call.max_age), ", took ",
      absl::FormatDuration(call.ended - call.came), ", age ", absl::FormatDuration(call.reply.age),
      ", exchange ", number, " began ", absl::FormatDuration(call.came - exchange.began),
      " before the call and ended ", absl::FormatDuration(call.came - exchange.ended), " before"));
}

int64_t CallHistory::violations() const {
  const std::lock_guard lock(mutex_);
  int64_t sum = 0;
  for (const auto& [rule, count] : violations_) sum += count;
  return sum;
}

std::ostream& operator<<(std::ostream& out, const CallHistory& history) {
  const std::lock_guard lock(history.mutex_);
  for (const auto& [kind, count] :
       std::map<std::string, int64_t>(history.answers_.begin(), history.answers_.end())) {
    out << "  " << kind << ": " << count << "\n";
  }
  for (const auto& [rule, count] : history.violations_) {
    out << "  VIOLATED, " << rule << ": " << count << "\n";
  }
  for (const std::string& words : history.first_violations_) out << "    " << words << "\n";
  return out;
}

}  // namespace pcap_gateway
