#include "service/shared/shared_denials.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

// A standing that nobody has an entry under is there only for those that are being asked for:
// longer than any of them takes. So strangers whom Cloudflare rejects fill no Redis.
constexpr absl::Duration kShortStanding = absl::Minutes(2);

// KEYS: standing. ARGV: value, how many of its digits tell the time, short lifetime in ms. Puts it
// forward, never back. Where there is no room for that, it goes, and with it all that it stands
// for.
constexpr absl::string_view kDeny = R"(
local known, set = redis.pcall('GET', KEYS[1])
if type(known) ~= 'string' then
  set = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
elseif string.sub(known, 1, ARGV[2]) < string.sub(ARGV[1], 1, ARGV[2]) then
  set = redis.pcall('SET', KEYS[1], ARGV[1], 'KEEPTTL')
end
if set and set.err then redis.call('DEL', KEYS[1]) end
return set)";

}  // namespace

SharedDenials::StandingsPtr SharedDenials::Of(const Query& query) {
  StandingsPtr& standings = standings_[{query.credential->partition(), query.account}];
  if (standings == nullptr) {
    standings = std::make_shared<Standings>();
    standings->credential.name = StandingName(*query.credential);
    standings->account.name = StandingName(*query.credential, query.account);
  }
  return standings;
}

SharedDenials::Word SharedDenials::Read(Standings& standings,
                                        const std::shared_ptr<const Credential>& credential,
                                        const std::string& of_credential,
                                        const std::string& of_account, const RedisTime& time) {
  Word word;
  ReadOne(standings.credential, credential, of_credential, time, word, word.denied.everything);
  ReadOne(standings.account, credential, of_account, time, word, word.denied.account);
  return word;
}

// Adds to `word` what one of the two says; `denied`: its part of that.
void SharedDenials::ReadOne(Known& known, const std::shared_ptr<const Credential>& credential,
                            const std::string& value, const RedisTime& time, Word& word,
                            absl::Time& denied) {
  absl::Time since = absl::InfiniteFuture();
  const auto deny = [&](absl::Time at) {
    since = std::max(since, at);
    word.void_before = std::max(word.void_before, at);
    const absl::Time now = clock_.Now();
    denied = std::max(denied, std::min(now, now - (time.now - at)));
  };
  if (value.empty()) {
    known.value.clear();
    known.standing.reset();
  } else if (value != known.value) {
    known.value = value;
    known.standing = OpenedStanding(value, known.name, *credential);
  }
  if (known.standing.has_value() && time.MayBeNoted(known.standing->since)) {
    since = known.standing->since;
    if (known.standing->denied) deny(since);
  } else if (!value.empty()) {
    corrupt_.Add();
    redis_.Send({"DEL", known.name}, kIgnoreReply);
  }
  if (told_.Find(known.name) != nullptr) {
    absl::Time& told = told_[known.name];
    // The clock was set back: it is as if that had just been.
    if (!time.MayBeNoted(told)) told = time.now;
    deny(told);
    if (!known.standing.has_value() || known.standing->since < told) {
      untold_.Remember(known.name, time.ByUs(told), credential);
    }
  }
  if (const std::optional<absl::Time> untold = untold_.Find(known.name)) {
    const absl::Time at = time.ByRedis(*untold);
    word.void_before = std::max(word.void_before, at);
    since = std::max(since, at);
    denied = std::max(denied, *untold);
  }
  word.since = std::max(word.since, since);
}

void SharedDenials::Deny(const Standings& standings, std::shared_ptr<const Credential> credential,
                         bool everything, const std::shared_ptr<void>& told) {
  const std::string& name = (everything ? standings.credential : standings.account).name;
  const absl::Time now = clock_.Now();
  untold_.Remember(name, now, std::move(credential));
  redis_.Send({"TIME"}, [this, name, told, now](const std::optional<RedisReply>& reply) {
    const std::optional<RedisTime> time = RedisTimeFrom(reply, now);
    if (!time.has_value()) return;
    untold_.Tell(name,
                 [&](const std::string&, const Denials::Known& denial, RedisClient::Done done) {
                   Tell(*time, name, denial,
                        [told, done = std::move(done)](std::optional<RedisReply> replied) mutable {
                          std::move(done)(std::move(replied));
                        });
                 });
  });
}

void SharedDenials::TellUntold(const RedisTime& time) {
  untold_.Tell([&](const std::string& name, const Denials::Known& denial, RedisClient::Done done) {
    Tell(time, name, denial, std::move(done));
  });
}

void SharedDenials::Tell(const RedisTime& time, const std::string& name,
                         const Denials::Known& denial, RedisClient::Done done) {
  // A standing tells no less than a microsecond.
  const absl::Time at = absl::FromUnixMicros(absl::ToUnixMicros(time.ByRedis(denial.at)));
  told_[name] = at;
  const std::string value = SealedStanding({.since = at, .denied = true}, name, *denial.what);
  redis_.Send({"EVAL", kDeny, "1", name, value, absl::StrCat(kStandingDigits),
               MillisecondsOf(kShortStanding)},
              std::move(done));
}

}  // namespace pcap_gateway
