#include "service/shared/shared_ledger.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/shared/redis_names.h"
#include "service/shared/redis_refusals.h"
#include "service/shared/redis_time.h"
#include "service/shared/spend_lua.h"  // made of spend.lua
#include "service/source/budget_rules.h"

namespace pcap_gateway {
namespace {

// More than any limit is, and as many replicas as can be: what Redis says beyond them is nonsense.
constexpr int64_t kMostRequests = 1'000'000'000;
constexpr int64_t kMostReplicas = 1'000;

constexpr size_t kFewestTellings = 1'000;  // not worth a sweep

// What is older is out of every window.
constexpr absl::Duration kTellingKeeps = absl::Minutes(10);

// In the order in which the script takes them.
constexpr std::array<absl::string_view, 7> kKeys = {"count",    "callers", "places", "owners",
                                                    "replicas", "reports", "blocked"};

std::string BudgetKey(const Credential& credential, absl::string_view what) {
  return absl::StrCat(RedisName(credential, "budget"), ":", what);
}

// What Redis calls a script: its SHA-1.
std::string NameOfScript(absl::string_view script) {
  std::array<uint8_t, 20> digest{};
  EVP_Digest(script.data(), script.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// Of the reply's numbers; absent: it has none there.
std::optional<int64_t> NumberIn(const RedisReply& reply, size_t index) {
  if (index >= reply.elements.size()) return std::nullopt;
  const RedisReply& element = reply.elements[index];
  if (element.kind != RedisReply::Kind::kInteger) return std::nullopt;
  return element.integer;
}

}  // namespace

absl::string_view SpendScript() { return kSpendLua; }

std::vector<std::string> LedgerArguments(const LedgerEntry& entry, absl::string_view instance,
                                         int64_t report_number) {
  namespace rules = budget_rules;
  const Credential& credential = *entry.credential;
  return {absl::StrCat(entry.limit),
          absl::StrCat(entry.reserve),
          absl::StrCat(entry.hold),
          MillisecondsOf(entry.window),
          MillisecondsOf(entry.longest_block),
          absl::StrCat(rules::kSlotsOfWindow),
          absl::StrCat(rules::kSlotsOfBucket),
          absl::StrCat(rules::kPartsOfWindow),
          absl::StrCat(rules::kMostCallers),
          absl::StrCat(rules::kBucketsToCome),
          absl::StrCat(rules::kLatestPlace),
          MillisecondsOf(rules::kLongestRequest),
          MillisecondsOf(rules::kQuietAfterAtLeast),
          MillisecondsOf(rules::kQuietAfterAtMost),
          absl::StrCat(rules::kQuietAfterTimes),
          absl::StrCat(rules::kLittle),
          absl::StrCat(rules::kLendEach),
          std::string(instance),
          absl::StrCat(report_number),
          entry.background ? "1" : "0",
          RedisMac(credential, "question", entry.question),
          RedisMac(credential, "caller", entry.caller)};
}

std::optional<LedgerWord> LedgerWordFrom(const RedisReply& reply, const LedgerEntry& entry) {
  const auto wait = NumberIn(reply, 0);
  const auto whose_limit = NumberIn(reply, 1);
  const auto place_kept = NumberIn(reply, 2);
  const auto left = NumberIn(reply, 3);
  const auto replicas = NumberIn(reply, 4);
  const auto slot = NumberIn(reply, 5);
  if (!wait || !whose_limit || !place_kept || !left || !replicas || !slot) return std::nullopt;
  if (*wait < 0 || *left < 0 || *replicas < 1) return std::nullopt;
  LedgerWord word{.left = std::min(*left, kMostRequests),
                  .replicas = std::min(*replicas, kMostReplicas),
                  .granted_in = *slot};
  if (*wait > 0) {
    // Compared before it is a duration, which has room for less.
    const absl::Duration longest = std::max(entry.window, entry.longest_block);
    word.refusal = Refusal{
        .limit = *whose_limit == 1 ? Refusal::Limit::kCaller : Refusal::Limit::kCredential,
        .wait = *wait > absl::ToInt64Milliseconds(longest) ? longest : absl::Milliseconds(*wait),
        .place_kept = *place_kept == 1};
  }
  return word;
}

SharedLedger::SharedLedger(std::shared_ptr<RedisClient> redis, const Clock& clock,
                           absl::string_view script)
    : redis_(std::move(redis)),
      clock_(clock),
      script_(script),
      script_name_(NameOfScript(script)),
      instance_(RandomName()) {}

void SharedLedger::Spend(LedgerEntry entry, Done done) {
  const Partition partition = entry.credential->partition();
  int64_t number = 0;
  const std::vector<std::string> report = TakeReport(entry, number);
  std::vector<std::string> arguments = {absl::StrCat(kKeys.size())};
  for (const absl::string_view what : kKeys) {
    arguments.push_back(BudgetKey(*entry.credential, what));
  }
  for (std::string& argument : LedgerArguments(entry, instance_, number)) {
    arguments.push_back(std::move(argument));
  }
  arguments.insert(arguments.end(), report.begin(), report.end());
  RunScript(std::move(arguments), /*by_name=*/true,
            [this, partition, number, entry = std::move(entry),
             done = std::move(done)](const std::optional<RedisReply>& reply) mutable {
              std::optional<LedgerWord> word;
              if (reply.has_value()) word = LedgerWordFrom(*reply, entry);
              if (number > 0) Reported(partition, number, word.has_value());
              std::move(done)(word);
            });
}

// Redis keeps the script, and is sent its name alone while it does.
void SharedLedger::RunScript(std::vector<std::string> arguments, bool by_name,
                             RedisClient::Done done) {
  std::vector<absl::string_view> command = {by_name ? "EVALSHA" : "EVAL",
                                            by_name ? script_name_ : script_};
  command.insert(command.end(), arguments.begin(), arguments.end());
  redis_->Send(command, [this, by_name, arguments = std::move(arguments),
                         done = std::move(done)](std::optional<RedisReply> reply) mutable {
    const bool is_unknown = by_name && reply.has_value() &&
                            reply->kind == RedisReply::Kind::kError &&
                            absl::StartsWith(reply->text, kUnknownScript);
    if (!is_unknown) return std::move(done)(std::move(reply));
    RunScript(std::move(arguments), /*by_name=*/false, std::move(done));
  });
}

// What there is to tell, as the script's arguments, and its number; none: nothing is, or another
// Spend carries it already.
std::vector<std::string> SharedLedger::TakeReport(const LedgerEntry& entry, int64_t& number) {
  const auto found = tellings_.find(entry.credential->partition());
  number = 0;
  if (found == tellings_.end()) return {};
  Telling& telling = found->second;
  if (telling.is_carried) return {};
  if (telling.under_way.empty()) {
    if (telling.next.empty()) return {};
    telling.under_way = std::exchange(telling.next, Report());
    // Redis takes no number twice, and may remember one for longer than the telling is kept.
    last_number_ = std::max(last_number_ + 1, absl::ToUnixMicros(clock_.Now()));
    telling.number = last_number_;
  }
  telling.is_carried = true;
  number = telling.number;
  std::vector<std::string> arguments;
  const auto tell = [&arguments](absl::string_view kind, int64_t when, int64_t how_many,
                                 std::string caller = "") {
    arguments.insert(arguments.end(), {std::string(kind), absl::StrCat(when),
                                       absl::StrCat(how_many), std::move(caller)});
  };
  for (const auto& [slot, count] : telling.under_way.over) tell("over", slot, count);
  for (const auto& [what, count] : telling.under_way.given_back) {
    tell("back", what.first, count, RedisMac(*entry.credential, "caller", what.second));
  }
  if (telling.under_way.more > 0) tell("more", 0, telling.under_way.more);
  const absl::Time now = clock_.Now();
  for (const auto& [when, count] : telling.under_way.alone) {
    const absl::Duration age = std::clamp(now - when, absl::ZeroDuration(), 2 * entry.window);
    absl::Duration rest;
    tell("alone", absl::IDivDuration(age, entry.window / budget_rules::kSlotsOfWindow, &rest),
         count);
  }
  return arguments;
}

void SharedLedger::Reported(const Partition& partition, int64_t number, bool taken) {
  const auto found = tellings_.find(partition);
  if (found == tellings_.end() || found->second.number != number) return;
  Telling& telling = found->second;
  telling.is_carried = false;
  if (!taken) return;
  telling.under_way = Report();
  if (telling.next.empty()) tellings_.erase(found);
}

void SharedLedger::Over(const Credential& credential, absl::string_view caller,
                        std::optional<int64_t> granted_in, int sendings) {
  if (!granted_in.has_value() && sendings == 0) return;
  const absl::Time now = clock_.Now();
  MakeRoomForTelling(now);
  Telling& telling = tellings_[credential.partition()];
  telling.as_of = now;
  Report& next = telling.next;
  if (!granted_in.has_value()) {
    next.alone[now - (now - absl::UnixEpoch()) % absl::Seconds(1)] += sendings;
    // No window reaches further back.
    while (next.alone.begin()->first < now - kTellingKeeps) {
      next.alone.erase(next.alone.begin());
    }
  } else if (sendings == 0) {
    ++next.given_back[{*granted_in, std::string(caller)}];
  } else {
    ++next.over[*granted_in];
    next.more += sendings - 1;
  }
}

void SharedLedger::MakeRoomForTelling(absl::Time now) {
  if (tellings_.size() < std::max(sweep_at_, kFewestTellings)) return;
  absl::erase_if(tellings_,
                 [now](const auto& telling) { return telling.second.as_of < now - kTellingKeeps; });
  if (tellings_.size() >= kMostTellings) {
    absl::erase_if(tellings_, [](const auto& telling) {
      return !telling.second.next.has_uncounted() && !telling.second.under_way.has_uncounted();
    });
  }
  if (tellings_.size() >= kMostTellings) {
    absl::erase_if(tellings_, [every_other = false](const auto&) mutable {
      return every_other = !every_other;
    });
  }
  sweep_at_ = std::min(2 * tellings_.size(), kMostTellings);
}

void SharedLedger::Block(const Credential& credential, absl::Duration how_long) {
  const int64_t milliseconds = absl::ToInt64Milliseconds(how_long);
  if (milliseconds <= 0) return;
  redis_->Send({"SET", BudgetKey(credential, "blocked"), "1", "PX", absl::StrCat(milliseconds)},
               kIgnoreReply);
}

}  // namespace pcap_gateway
