#include "service/shared/outdated_entries.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

// KEYS: entry, when a write outdated it. ARGV: microseconds from now until when that counts,
// lifetime of the word in ms. Gives the time in microseconds.
constexpr absl::string_view kOutdate = R"(
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('DEL', KEYS[1])
local set = redis.pcall('SET', KEYS[2], string.format('%.0f', now + ARGV[1]), 'PX', ARGV[2])
return set.err and set or now)";

}  // namespace

std::string OutdatedName(const std::string& entry) { return absl::StrCat(entry, ":written"); }

void OutdatedEntries::Outdate(const std::vector<std::string>& names, absl::Duration ahead,
                              std::function<void()> then) {
  const std::shared_ptr<void> told(nullptr, [then = std::move(then)](void*) { then(); });
  for (const std::string& name : names) {
    Tell(name, ahead, [this, told, name](const std::optional<RedisReply>& reply) {
      if (!IsDone(reply)) untold_.Remember(name, clock_.Now());
    });
  }
}

absl::Time OutdatedEntries::CountsSince(const std::string& name, const RedisTime& time) const {
  absl::Time since = absl::InfinitePast();
  if (const absl::Time* told = told_.Find(name); told != nullptr && time.MayBeNoted(*told)) {
    since = *told;
  }
  if (const std::optional<absl::Time> untold = untold_.Find(name)) {
    since = std::max(since, time.ByRedis(*untold));
  }
  return since;
}

void OutdatedEntries::TellUntold() {
  untold_.Tell([this](const std::string& name, const auto&, RedisClient::Done done) {
    Tell(name, absl::ZeroDuration(), std::move(done));
  });
}

void OutdatedEntries::Tell(const std::string& name, absl::Duration ahead, RedisClient::Done done) {
  redis_.Send({"EVAL", kOutdate, "2", name, OutdatedName(name),
               absl::StrCat(absl::ToInt64Microseconds(ahead)), MillisecondsOf(kWriting)},
              [this, name, done = std::move(done)](std::optional<RedisReply> reply) mutable {
                if (IsDone(reply)) told_[name] = absl::FromUnixMicros(reply->integer);
                std::move(done)(std::move(reply));
              });
}

}  // namespace pcap_gateway
