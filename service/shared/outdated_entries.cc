#include "service/shared/outdated_entries.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

// KEYS: word. ARGV: microseconds from now until when it counts, its lifetime in ms. Gives the time
// in microseconds.
constexpr absl::string_view kOutdate = R"(
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local set = redis.pcall('SET', KEYS[1], string.format('%.0f', now + ARGV[1]), 'PX', ARGV[2])
return set.err and set or now)";

// The next moment that Redis' clock can tell.
absl::Time After(absl::Time time) { return time + absl::Microseconds(1); }

}  // namespace

void OutdatedEntries::Outdate(const std::vector<OutdatedEntry>& entries, absl::Duration ahead,
                              std::function<void()> then) {
  const std::shared_ptr<void> told(nullptr, [then = std::move(then)](void*) { then(); });
  for (const OutdatedEntry& entry : entries) {
    Tell(entry, ahead, [this, told, entry](const std::optional<RedisReply>& reply) {
      if (!IsDone(reply)) return untold_.Remember(entry.word, clock_.Now(), entry.entry);
      TellUntold();
    });
  }
}

absl::Time OutdatedEntries::CountsSince(const std::string& word, absl::string_view held,
                                        const RedisTime& time) {
  absl::Time since = absl::InfinitePast();
  if (int64_t micros;
      absl::SimpleAtoi(held, &micros) && time.MayBeNoted(absl::FromUnixMicros(micros) - kWriting)) {
    since = After(absl::FromUnixMicros(micros));
  } else if (!held.empty()) {
    since = After(time.now);
    untold_.Remember(word, time.sent_at);
  }
  if (told_.Find(word) != nullptr) {
    absl::Time& told = told_[word];
    // The clock was set back: it is as if the write were just over.
    if (!time.MayBeNoted(told)) told = time.now;
    if (since <= told && time.now - told < lifetime_) untold_.Remember(word, time.ByUs(told));
    since = std::max(since, After(told));
  }
  if (const std::optional<absl::Time> untold = untold_.Find(word)) {
    since = std::max(since, time.ByRedis(*untold));
  }
  return since;
}

void OutdatedEntries::TellUntold() {
  untold_.Tell([this](const std::string& word, const auto& known, RedisClient::Done done) {
    Tell({.entry = known.what, .word = word}, absl::ZeroDuration(), std::move(done));
  });
}

void OutdatedEntries::Tell(const OutdatedEntry& entry, absl::Duration ahead,
                           RedisClient::Done done) {
  if (!entry.entry.empty()) redis_.Send({"DEL", entry.entry}, kIgnoreReply);
  redis_.Send(
      {"EVAL", kOutdate, "1", entry.word, absl::StrCat(absl::ToInt64Microseconds(ahead)),
       MillisecondsOf(lifetime_)},
      [this, word = entry.word, done = std::move(done)](std::optional<RedisReply> reply) mutable {
        if (reply.has_value() && reply->kind == RedisReply::Kind::kInteger) {
          told_[word] = absl::FromUnixMicros(reply->integer);
        }
        std::move(done)(std::move(reply));
      });
}

}  // namespace pcap_gateway
