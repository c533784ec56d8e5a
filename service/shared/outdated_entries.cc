#include "service/shared/outdated_entries.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/shared/redis_time.h"

namespace pcap_gateway {
namespace {

// That Redis could not be told; one more takes the place of any.
constexpr size_t kMostUntold = 1000;
constexpr absl::Duration kTellAgainAfter = absl::Seconds(1);

// KEYS: entry, when a write outdated it. ARGV: microseconds from now until when that counts,
// lifetime of the word in ms.
constexpr absl::string_view kOutdate = R"(
local now = redis.call('TIME')
redis.call('DEL', KEYS[1])
return redis.pcall('SET', KEYS[2], string.format('%.0f', now[1] * 1000000 + now[2] + ARGV[1]),
                   'PX', ARGV[2]))";

bool IsDone(const std::optional<RedisReply>& reply) {
  return reply.has_value() && reply->kind != RedisReply::Kind::kError;
}

}  // namespace

std::string OutdatedName(const std::string& entry) { return absl::StrCat(entry, ":written"); }

void OutdatedEntries::Outdate(const std::vector<std::string>& names, absl::Duration ahead,
                              std::function<void()> then) {
  const std::shared_ptr<void> told(nullptr, [then = std::move(then)](void*) { then(); });
  for (const std::string& name : names) {
    redis_.Send({"EVAL", kOutdate, "2", name, OutdatedName(name),
                 absl::StrCat(absl::ToInt64Microseconds(ahead)), MillisecondsOf(kWriting)},
                [this, told, name](const std::optional<RedisReply>& reply) {
                  if (!IsDone(reply)) Remember(name, clock_.Now());
                });
  }
}

void OutdatedEntries::Remember(const std::string& name, absl::Time at) {
  if (untold_.size() >= kMostUntold && !untold_.contains(name)) untold_.erase(untold_.begin());
  absl::Time& remembered = untold_.try_emplace(name, at).first->second;
  remembered = std::max(remembered, at);
}

std::optional<absl::Time> OutdatedEntries::Untold(const std::string& name) const {
  const auto untold = untold_.find(name);
  return untold == untold_.end() ? std::nullopt : std::optional(untold->second);
}

// Each is remembered until Redis has said that it knows it: who looked into Redis before that, and
// hears of it later, is to know it, too.
void OutdatedEntries::TellUntold() {
  if (untold_.empty() || tells_ || clock_.Now() < tell_again_at_) return;
  tells_ = true;
  const std::shared_ptr<void> told(nullptr, [this](void*) { tells_ = false; });
  for (const auto& [name, at] : untold_) {
    redis_.Send({"EVAL", kOutdate, "2", name, OutdatedName(name), "0", MillisecondsOf(kWriting)},
                [this, told, name = name, at = at](const std::optional<RedisReply>& reply) {
                  if (reply.has_value() && !IsDone(reply)) {
                    tell_again_at_ = clock_.Now() + kTellAgainAfter;
                  }
                  const auto found = untold_.find(name);
                  if (IsDone(reply) && found != untold_.end() && found->second == at) {
                    untold_.erase(found);
                  }
                });
  }
}

}  // namespace pcap_gateway
