#include "service/shared/shared_writes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/freshness/succession.h"
#include "service/shared/redis_names.h"
#include "service/shared/redis_time.h"
#include "service/shared/sealed_value.h"
#include "service/shared/shared_entry.h"
#include "service/shared/shared_entry.pb.h"

namespace pcap_gateway {
namespace {

using Kind = WriteMemory::Known::Kind;

constexpr char kClaimed = 'C';
constexpr char kDone = 'D';
constexpr char kReleased = 'R';
constexpr absl::string_view kPurpose = "write";

// Two signs of life, one each kWriteKeepEvery, may be late or lost.
constexpr absl::Duration kLease = absl::Seconds(10);
// Longer than whoever waits takes to look again.
constexpr absl::Duration kReleasedFor = absl::Seconds(10);

// As in SharedSource: one more than a value may have.
const std::string kLastByte = absl::StrCat(kMostEntryBytes);

// KEYS: write, lease. ARGV: our claim, its lifetime in ms, the lease's, last byte to read, whether
// to claim. Gives 1 where it is claimed for us, else what is known: value, lifetimes of both in ms.
constexpr absl::string_view kClaim = R"(
local known = redis.pcall('GETRANGE', KEYS[1], 0, ARGV[4])
if type(known) ~= 'string' then return known end
if ARGV[5] == '1' and (known == ARGV[1] or known == '' or string.sub(known, 1, 1) == 'R') then
  local set = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  if set.err then return set end
  redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
  return 1
end
return {known, redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[2])})";

// KEYS: write, lease. ARGV: our claim, value in its place, that one's lifetime in ms, last byte to
// read. What another replica has claimed meanwhile stays.
constexpr absl::string_view kEnd = R"(
local known = redis.pcall('GETRANGE', KEYS[1], 0, ARGV[4])
if type(known) ~= 'string' then return known end
if known == ARGV[1] or known == '' then
  local set = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  if set.err then return set end
  redis.call('DEL', KEYS[2])
end
return 1)";

std::string KeyOf(const NamedWrite& write) {
  return absl::StrCat(
      RedisName(*write.credential, absl::StrCat("write\n", write.account.ToString(), "\n",
                                                write.endpoint, "\n", write.name)),
      ":write");
}

std::string LeaseOf(const std::string& key) { return absl::StrCat(key, ":lease"); }

absl::string_view ContentOf(const NamedWrite& write) {
  return {reinterpret_cast<const char*>(write.content.data()), write.content.size()};
}

std::string Sealed(const NamedWrite& write, absl::string_view key, char mark,
                   const shared::SharedWrite& message) {
  return SealedValue(mark, message.SerializeAsString(), key, kPurpose, *write.credential);
}

void SetOutcome(const Outcome& outcome, shared::SharedWrite& message) {
  message.set_http_status(outcome.http_status);
  message.set_cf_ray(std::string(outcome.cf_ray.text()));
  if (outcome.ok()) {
    message.set_message(outcome.message);
    return;
  }
  const Error& error = *outcome.error;
  shared::SharedWrite::Failure& failure = *message.mutable_failure();
  failure.set_code(static_cast<int>(error.code));
  failure.set_reason(std::string(NameOf(error.reason)));
  failure.set_message(error.message);
  failure.set_documentation_url(error.documentation_url);
  for (const auto& [key, value] : error.metadata) (*failure.mutable_metadata())[key] = value;
  if (error.retry_after.has_value()) {
    failure.set_retry_after_micros(absl::ToInt64Microseconds(*error.retry_after));
  }
}

std::optional<Reason> ReasonOf(absl::string_view name) {
  for (size_t i = 0; i < kReasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    if (NameOf(reason) == name) return reason;
  }
  return std::nullopt;
}

// Null: it has none that this version knows.
OutcomePtr OutcomeFrom(shared::SharedWrite& message, absl::Time as_of) {
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = as_of;
  outcome->http_status = message.http_status();
  outcome->cf_ray = Ray(message.cf_ray());
  if (message.has_message()) {
    outcome->message = std::move(*message.mutable_message());
    return outcome;
  }
  shared::SharedWrite::Failure& failure = *message.mutable_failure();
  const std::optional<Reason> reason = ReasonOf(failure.reason());
  const auto code = static_cast<absl::StatusCode>(failure.code());
  if (!reason.has_value() || code == absl::StatusCode::kOk) return nullptr;
  auto error = std::make_unique<Error>(code, *reason, std::move(*failure.mutable_message()));
  error->documentation_url = std::move(*failure.mutable_documentation_url());
  error->metadata.assign(failure.metadata().begin(), failure.metadata().end());
  if (failure.has_retry_after_micros()) {
    error->retry_after = absl::Microseconds(failure.retry_after_micros());
  }
  outcome->error = std::move(error);
  return outcome;
}

// The number there; 0 where there is none.
int64_t NumberIn(const RedisReply& reply, size_t index) {
  return index < reply.elements.size() ? reply.elements[index].integer : 0;
}

}  // namespace

SharedWrites::SharedWrites(std::shared_ptr<RedisClient> redis, std::string variant,
                           const Clock& clock)
    : redis_(std::move(redis)),
      variant_(std::move(variant)),
      clock_(clock),
      instance_(RandomName()) {}

void SharedWrites::Claim(const NamedWrite& write, Done done) {
  Ask(write, /*to_claim=*/true, std::move(done));
}

void SharedWrites::Look(const NamedWrite& write, Done done) {
  Ask(write, /*to_claim=*/false, std::move(done));
}

void SharedWrites::Keep(const NamedWrite& write) {
  Ask(write, /*to_claim=*/true, [](const Known&) {});
}

void SharedWrites::End(const NamedWrite& write, OutcomePtr outcome,
                       absl::AnyInvocable<void(bool) &&> done) {
  const std::string key = KeyOf(write);
  const bool is_done = outcome != nullptr && MayHaveWritten(*outcome);
  shared::SharedWrite message;
  message.set_content(std::string(ContentOf(write)));
  message.set_variant(variant_);
  if (outcome != nullptr) SetOutcome(*outcome, message);
  redis_->Send({"EVAL", kEnd, "2", key, LeaseOf(key), ClaimOf(write, key),
                Sealed(write, key, is_done ? kDone : kReleased, message),
                MillisecondsOf(is_done ? kWriteRemembered : kReleasedFor), kLastByte},
               [done = std::move(done)](const std::optional<RedisReply>& reply) mutable {
                 std::move(done)(reply.has_value() && reply->kind == RedisReply::Kind::kInteger);
               });
}

void SharedWrites::Ask(const NamedWrite& write, bool to_claim, Done done) {
  const std::string key = KeyOf(write);
  redis_->Send(
      {"EVAL", kClaim, "2", key, LeaseOf(key), ClaimOf(write, key),
       MillisecondsOf(kWriteRemembered), MillisecondsOf(kLease), kLastByte, to_claim ? "1" : "0"},
      [this, write, key, done = std::move(done)](const std::optional<RedisReply>& reply) mutable {
        std::move(done)(KnownFrom(reply, write, key));
      });
}

WriteMemory::Known SharedWrites::KnownFrom(const std::optional<RedisReply>& reply,
                                           const NamedWrite& write, const std::string& key) {
  if (!reply.has_value()) return {redis_->stats().up ? Kind::kLate : Kind::kAway};
  if (reply->kind == RedisReply::Kind::kInteger) return {Kind::kOurs};
  if (reply->kind != RedisReply::Kind::kArray || reply->elements.empty()) return {Kind::kAway};
  const std::string& value = reply->elements[0].text;
  // It was there a moment ago, and its time cannot have passed: Redis has lost it.
  if (value.empty()) return {Kind::kLost};
  const std::optional<absl::string_view> body =
      OpenedValue(value, key, kPurpose, *write.credential);
  shared::SharedWrite message;
  if (!body.has_value() || !message.ParseFromArray(body->data(), static_cast<int>(body->size()))) {
    stats_.corrupt.Add();
    return {Kind::kLost};
  }
  const char mark = value[0];
  if (message.content() != ContentOf(write)) {
    return {mark == kReleased ? Kind::kFree : Kind::kOtherContent};
  }
  if (mark == kClaimed) return {NumberIn(*reply, 2) > 0 ? Kind::kOthers : Kind::kLost};
  const bool has_outcome = message.has_message() || message.has_failure();
  if (!has_outcome) return {mark == kReleased ? Kind::kFree : Kind::kLost};
  if (message.variant() != variant_) return {Kind::kLost};
  const absl::Duration lifetime = mark == kDone ? kWriteRemembered : kReleasedFor;
  const absl::Duration left =
      std::clamp(absl::Milliseconds(NumberIn(*reply, 1)), absl::ZeroDuration(), lifetime);
  OutcomePtr outcome = OutcomeFrom(message, clock_.Now() - (lifetime - left));
  if (outcome == nullptr) return {Kind::kLost};
  return {Kind::kEnded, std::move(outcome)};
}

// The same each time, so that a claim is known again.
std::string SharedWrites::ClaimOf(const NamedWrite& write, const std::string& key) const {
  shared::SharedWrite message;
  message.set_content(std::string(ContentOf(write)));
  message.set_replica(instance_);
  return Sealed(write, key, kClaimed, message);
}

}  // namespace pcap_gateway
