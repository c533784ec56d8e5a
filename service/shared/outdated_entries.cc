#include "service/shared/outdated_entries.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/shared/redis_time.h"

namespace pcap_gateway {
namespace {

// KEYS: entry, when a write outdated it. ARGV: microseconds from now until when that counts,
// lifetime of the word in ms.
constexpr absl::string_view kOutdate = R"(
local now = redis.call('TIME')
redis.call('DEL', KEYS[1])
return redis.pcall('SET', KEYS[2], string.format('%.0f', now[1] * 1000000 + now[2] + ARGV[1]),
                   'PX', ARGV[2]))";

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

void OutdatedEntries::TellUntold() {
  untold_.Tell([this](const std::string& name, const auto&, RedisClient::Done done) {
    Tell(name, absl::ZeroDuration(), std::move(done));
  });
}

void OutdatedEntries::Tell(const std::string& name, absl::Duration ahead, RedisClient::Done done) {
  redis_.Send({"EVAL", kOutdate, "2", name, OutdatedName(name),
               absl::StrCat(absl::ToInt64Microseconds(ahead)), MillisecondsOf(kWriting)},
              std::move(done));
}

}  // namespace pcap_gateway
