#include "service/shared/shared_ledger.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/shared/redis_names.h"

namespace pcap_gateway {
namespace {

// KEYS: spent, promised, replicas, blocked.
// ARGV: limit, reserve, "1" for background, question, instance, window in ms.
// Gives back: ms to wait (0: granted), requests left, replicas.
//
// The window is 60 slots, counted with two more because a request may have been sent at the very
// beginning of the first, and with two more that a promise outlasts its slot by (budget.h). A
// promise is entered at its slot; who does not come in time gives the place up.
constexpr absl::string_view kSpend = R"(
local limit, reserve = tonumber(ARGV[1]), tonumber(ARGV[2])
local window = tonumber(ARGV[6])
local slot_ms, counted, grace, most_promises = window / 60, 64, 2, 50000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slot = math.floor(now / slot_ms)

redis.call('ZADD', KEYS[3], now, ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - window)
local replicas = redis.call('ZCARD', KEYS[3])
local blocked = redis.call('PTTL', KEYS[4])
if blocked > 0 then return {blocked, 0, replicas} end

local overdue = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', slot - grace - 1, 'WITHSCORES')
for i = 1, #overdue, 2 do redis.call('HINCRBY', KEYS[1], overdue[i + 1], -1) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', slot - grace - 1)

local counts, last = {}, slot
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at = tonumber(all[i])
  if at <= slot - counted then
    redis.call('HDEL', KEYS[1], all[i])
  else
    counts[at] = tonumber(all[i + 1])
    if at > last then last = at end
  end
end

local function room_in(at)
  local sum = 0
  for s = at - counted + 1, at do sum = sum + (counts[s] or 0) end
  local most = sum
  for s = at + 1, math.min(at + counted - 1, last) do
    sum = sum + (counts[s] or 0) - (counts[s - counted] or 0)
    if sum > most then most = sum end
  end
  return limit - most
end

local function spend(at)
  redis.call('HINCRBY', KEYS[1], string.format('%.0f', at), 1)
end

local function wait_for(at)
  return math.max(1, math.ceil(at * slot_ms - now))
end

local room = room_in(slot)
local wait = 0
if ARGV[3] == '1' then
  if room > reserve then
    spend(slot)
    room = room - 1
  else
    wait = wait_for(slot + 1)
  end
else
  local promised = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[4]) or '')
  if promised and promised > slot then
    wait = wait_for(promised)
  elseif promised then
    redis.call('ZREM', KEYS[2], ARGV[4])
  elseif room > 0 then
    spend(slot)
    room = room - 1
  else
    local latest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
    local at = math.max(slot + 1, tonumber(latest[2] or '0'))
    while at <= last + counted and room_in(at) <= 0 do at = at + 1 end
    if redis.call('ZCARD', KEYS[2]) < most_promises then
      redis.call('ZADD', KEYS[2], at, ARGV[4])
      spend(at)
    end
    wait = wait_for(at)
  end
end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], 3 * window) end
return {wait, math.max(0, room), replicas})";

std::optional<LedgerWord> WordFrom(const std::optional<RedisReply>& reply) {
  if (!reply.has_value() || reply->elements.size() != 3) return std::nullopt;
  for (const RedisReply& element : reply->elements) {
    if (element.kind != RedisReply::Kind::kInteger) return std::nullopt;
  }
  LedgerWord word{.left = reply->elements[1].integer, .replicas = reply->elements[2].integer};
  if (const int64_t wait = reply->elements[0].integer; wait > 0) {
    word.later = absl::Milliseconds(wait);
  }
  return word;
}

}  // namespace

SharedLedger::SharedLedger(std::shared_ptr<RedisClient> redis)
    : redis_(std::move(redis)), instance_(RandomName()) {}

void SharedLedger::Spend(LedgerEntry entry, Done done) {
  redis_->Post([this, entry = std::move(entry), done = std::move(done)]() mutable {
    const std::string base = RedisName(*entry.credential, "budget");
    const std::string question = RedisMac(*entry.credential, "question", entry.question);
    redis_->Send(
        {"EVAL", kSpend, "4", absl::StrCat(base, ":spent"), absl::StrCat(base, ":promised"),
         absl::StrCat(base, ":replicas"), absl::StrCat(base, ":blocked"), absl::StrCat(entry.limit),
         absl::StrCat(entry.reserve), entry.background ? "1" : "0", question, instance_,
         absl::StrCat(absl::ToInt64Milliseconds(entry.window))},
        [done = std::move(done)](const std::optional<RedisReply>& reply) mutable {
          std::move(done)(WordFrom(reply));
        });
  });
}

void SharedLedger::Block(const Credential& credential, absl::Duration how_long) {
  const int64_t milliseconds = absl::ToInt64Milliseconds(how_long);
  if (milliseconds <= 0) return;
  redis_->Post(
      [this, name = absl::StrCat(RedisName(credential, "budget"), ":blocked"), milliseconds] {
        redis_->Send({"SET", name, "1", "PX", absl::StrCat(milliseconds)},
                     [](const std::optional<RedisReply>&) {});
      });
}

}  // namespace pcap_gateway
