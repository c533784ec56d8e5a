#include "service/upstream/budget.h"

#include <algorithm>

#include "service/source/retry_after.h"
#include "service/upstream/rate_limit_headers.h"

namespace pcap_gateway {
namespace {

using budget_rules::kBucketsOfWindow;
using budget_rules::kLittle;
using budget_rules::kSlotsOfBucket;
using budget_rules::kSlotsOfWindow;

constexpr int kTooManyRequests = 429;

// When to come again where the answer to a request under way will tell more.
constexpr absl::Duration kSoon = absl::Seconds(1);

}  // namespace

Budget::Budget(const BudgetPolicy& policy)
    : policy_(policy),
      slot_length_(policy.window / kSlotsOfWindow),
      limit_(policy.limit),
      shares_(policy.window) {}

void Budget::Ask(const Spending& spending, absl::Time now) {
  Forget(now);
  // Who has a place has asked before.
  if (spending.background || places_.BucketOf(spending.question).has_value()) return;
  shares_.Ask(spending.caller, now);
}

std::variant<Grant, Refusal> Budget::Spend(const Spending& spending, absl::Time now) {
  Forget(now);
  const bool share_is_spent = now < share_until_ && share_left_ <= 0;
  std::optional<absl::Time> held_back = HeldBackUntil(now);
  if (!held_back.has_value() && share_is_spent) held_back = share_until_;
  if (held_back.has_value()) return RefuseUntil(spending, *held_back, now);
  if (const std::optional<Refusal> refusal = WhyNot(spending, now)) return *refusal;
  return GrantTo(spending, now);
}

std::variant<Grant, Refusal> Budget::SpendGranted(const Spending& spending, absl::Time now) {
  Forget(now);
  if (const std::optional<absl::Time> until = HeldBackUntil(now)) {
    return Refusal{.wait = *until - now};
  }
  if (Total() >= limit_) return Refusal{.wait = BeginOf(BucketOf(now) + 1) - now};
  return GrantTo(spending, now);
}

// Absent: the request may be sent.
std::optional<Refusal> Budget::WhyNot(const Spending& spending, absl::Time now) {
  const auto limit = static_cast<double>(std::max<int64_t>(Part(limit_), 1));
  const auto held = static_cast<double>(Part(hold()));
  if (spending.background) {
    if (Free(now) + held >= static_cast<double>(Part(policy_.reserve)) + 1) return std::nullopt;
    return RefuseUntil(spending, BeginOf(BucketOf(now) + 1), now);
  }
  const std::optional<int64_t> place = places_.BucketOf(spending.question);
  if (place.has_value() && *place <= BucketOf(now) && static_cast<double>(Total()) + 1 <= limit) {
    return std::nullopt;
  }
  const double free = Free(now);
  // Most of the time there is enough for all.
  if (free >= 1 && shares_.IsEnoughForAll(Part(limit_), now)) return std::nullopt;
  const double level = shares_.LevelFor(spending.caller, Part(limit_), now);
  const auto spent = static_cast<double>(shares_.Of(spending.caller, now).spent.total());
  if (spent < level && free + (spent < level * kLittle ? held : 0) >= 1) return std::nullopt;
  // What nobody below the level comes for is not left lying; but lent little by little, as they may
  // yet come.
  if (free >= 1 && now >= lend_at_) {
    lend_at_ = now + LendEach();
    return std::nullopt;
  }
  return RefuseUntil(spending, now, now);
}

absl::Duration Budget::LendEach() const {
  return budget_rules::kLendEach * policy_.window / std::max<int64_t>(Part(limit_), 1);
}

// Not before `first`, which may be now.
Refusal Budget::RefuseUntil(const Spending& spending, absl::Time first, absl::Time now) {
  if (spending.background) return {.wait = first - now};
  const int64_t now_bucket = BucketOf(now);
  const int64_t first_bucket = std::max(now_bucket, BucketOf(first - absl::Nanoseconds(1))) + 1;
  const double level = shares_.LevelFor(spending.caller, Part(limit_), now);
  const auto spent = static_cast<double>(shares_.Of(spending.caller, now).spent.total());
  Refusal refusal{.limit = spent < level ? Refusal::Limit::kCredential : Refusal::Limit::kCaller};
  if (const auto place = places_.BucketOf(spending.question)) {
    if (*place >= first_bucket) {
      refusal.wait = BeginOf(*place) - now;
      refusal.place_kept = true;
      return refusal;
    }
    GiveUpPlace(spending.question, now);  // one that cannot be kept
  }
  const std::optional<int64_t> bucket =
      FirstFreeBucket(spending.caller, spent, level, first_bucket, now);
  if (bucket.has_value()) {
    places_.Keep(spending.question, spending.caller, *bucket);
    ++shares_.Of(spending.caller, now).promised;
    refusal.place_kept = true;
  }
  refusal.wait = BeginOf(bucket.value_or(now_bucket + kBucketsOfWindow)) - now;
  return refusal;
}

// The first bucket, `first` or later, from which on there is a request for the caller that nobody
// else has a place for; absent: there is none within a window.
std::optional<int64_t> Budget::FirstFreeBucket(absl::string_view caller, double spent, double level,
                                               int64_t first, absl::Time now) {
  const auto own = shares_.RoomBelow(level, shares_.Of(caller, now));
  if (!own.has_value()) return std::nullopt;
  if (*own > now) first = std::max(first, BucketOf(*own - absl::Nanoseconds(1)) + 1);
  const int64_t now_bucket = BucketOf(now);
  const double least = spent < level * kLittle ? 1 - static_cast<double>(Part(hold())) : 1;
  // Who has come for a place lately may be others than who will have this one: more places than
  // there are requests would be withheld from all when they weigh more.
  const Plan plan = PlanFrom(now, 1);
  std::optional<int64_t> found;
  for (int64_t i = kBucketsOfWindow; i >= std::max<int64_t>(first - now_bucket, 0); --i) {
    if (plan[static_cast<size_t>(i)] < least) break;
    found = now_bucket + i;
  }
  return found;
}

// How many requests are free in each bucket from now on, when of those that have a place the part
// `taken` is sent, and nothing else is. Without those of the hold.
Budget::Plan Budget::PlanFrom(absl::Time now, double taken) const {
  const int64_t first = BucketOf(now);
  Plan plan{};
  for (const SlidingCount::Slot& slot : ended_.slots()) {
    // All slots of a bucket are out of the window when the bucket begins that is a window and one
    // later.
    const int64_t bucket = slot.number / kSlotsOfBucket + kBucketsOfWindow + 1 - first;
    if (bucket <= kBucketsOfWindow) {
      plan[static_cast<size_t>(bucket)] += static_cast<double>(slot.count);
    }
  }
  for (const auto& [bucket, in] : places_.buckets()) {
    const int64_t index = std::clamp<int64_t>(bucket - first, 0, kBucketsOfWindow);
    plan[static_cast<size_t>(index)] -= static_cast<double>(in.places) * taken;
  }
  double free = static_cast<double>(Part(limit_) - Part(hold()) - Total());
  for (double& bucket : plan) bucket = free += bucket;
  return plan;
}

// How many may be sent now without those who have a place finding none.
double Budget::Free(absl::Time now) const {
  if (places_.empty()) return static_cast<double>(Part(limit_) - Part(hold()) - Total());
  const Plan plan = PlanFrom(now, places_.taken());
  return *std::min_element(plan.begin(), plan.end());
}

Grant Budget::GrantTo(const Spending& spending, absl::Time now) {
  ++under_way_;
  --share_left_;
  const Grant grant{.number = ++last_number_,
                    .caller = std::string(spending.caller),
                    .background = spending.background};
  if (!spending.background) {
    GiveUpPlace(spending.question, now);
    shares_.Spend(spending.caller, 1, now);
  }
  if (is_finding_out_) scout_ = grant.number;
  return grant;
}

void Budget::GiveUpPlace(uint64_t question, absl::Time now) {
  const std::optional<std::string> caller = places_.Take(question, BucketOf(now));
  if (caller.has_value()) UnpromiseTo(*caller, now);
}

void Budget::UnpromiseTo(absl::string_view caller, absl::Time now) {
  CallerShare& share = shares_.Of(caller, now);
  share.promised = std::max<int64_t>(share.promised - 1, 0);  // it may have been forgotten
}

void Budget::Began(const Grant& grant, const HttpAnswer& head, absl::Time now) {
  Forget(now);
  if (scout_ == grant.number) scout_.reset();
  Learn(grant, head, now);
}

void Budget::Ended(const Grant& grant, int sendings, const HttpAnswer* answer, absl::Time now) {
  Forget(now);
  --under_way_;
  if (sendings > 0) {
    ended_.Add(SlotOf(now), sendings);
  } else if (!grant.background) {
    shares_.Spend(grant.caller, -1, now);
  }
  if (scout_ == grant.number) scout_.reset();
  if (answer != nullptr) Learn(grant, *answer, now);
}

void Budget::Learn(const Grant& grant, const HttpAnswer& answer, absl::Time now) {
  for (const RateLimitPolicy& policy : RateLimitPoliciesFrom(answer.ratelimit_policy)) {
    if (policy.window != policy_.window) continue;
    limit_ = policy_.limit_is_final ? std::min(policy_.limit, policy.quota) : policy.quota;
  }
  const std::vector<RateLimit> limits = RateLimitsFrom(answer.ratelimit);
  const auto least = std::min_element(
      limits.begin(), limits.end(),
      [](const RateLimit& a, const RateLimit& b) { return a.remaining < b.remaining; });
  bool says_no = answer.status == kTooManyRequests;
  // Answers overtake each other: what the later request was told counts.
  if (least != limits.end() && (now >= told_until_ || grant.number >= told_by_)) {
    told_left_ = least->remaining;
    told_until_ = now + std::min(least->reset, policy_.longest_block);
    told_by_ = grant.number;
    says_no = says_no || told_left_ == 0;
  }
  if (answer.status == kTooManyRequests) {
    const absl::Duration asked =
        RetryAfterFrom(answer.retry_after, now).value_or(policy_.longest_block);
    blocked_until_ = std::max(blocked_until_, now + std::min(asked, policy_.longest_block));
  }
  is_finding_out_ = says_no || (is_finding_out_ && BarredUntil(now).has_value());
}

std::optional<absl::Time> Budget::BlockedUntil(absl::Time now) const {
  return now < blocked_until_ ? std::optional(blocked_until_) : std::nullopt;
}

std::optional<absl::Time> Budget::BarredUntil(absl::Time now) const {
  const absl::Time until = told_left_ > 0 ? blocked_until_ : std::max(blocked_until_, told_until_);
  return now < until ? std::optional(until) : std::nullopt;
}

// Until when Cloudflare's word holds back whatever is asked.
std::optional<absl::Time> Budget::HeldBackUntil(absl::Time now) const {
  if (const std::optional<absl::Time> barred = BarredUntil(now)) return barred;
  const bool all_told_are_sent = now < told_until_ && ToldLeft() <= 0;
  return all_told_are_sent || scout_.has_value() ? std::optional(now + kSoon) : std::nullopt;
}

// Of what Cloudflare said is left, what was not sent since.
int64_t Budget::ToldLeft() const {
  return told_left_ - static_cast<int64_t>(last_number_ - told_by_);
}

void Budget::ShareWith(int64_t replicas, int64_t left, absl::Time now) {
  replicas_ = replicas;
  share_left_ = left / replicas;
  share_until_ = now + policy_.window;
}

int64_t Budget::left(absl::Time now) {
  Forget(now);
  if (BarredUntil(now).has_value()) return 0;
  const int64_t room = std::max<int64_t>(Part(limit_) - Total(), 0);
  return now < told_until_ ? std::clamp<int64_t>(ToldLeft(), 0, room) : room;
}

bool Budget::in_use(absl::Time now) {
  Forget(now);
  return Total() > 0 || BarredUntil(now).has_value();
}

int64_t Budget::SlotOf(absl::Time time) const {
  absl::Duration rest;
  return absl::IDivDuration(time - absl::UnixEpoch(), slot_length_, &rest);
}

absl::Time Budget::BeginOf(int64_t bucket) const {
  return absl::UnixEpoch() + bucket * kSlotsOfBucket * slot_length_;
}

// Of what is over by now.
void Budget::Forget(absl::Time now) {
  ended_.Forget(SlotOf(now) - kSlotsOfWindow);
  for (const std::string& caller : places_.Forget(BucketOf(now))) UnpromiseTo(caller, now);
}

}  // namespace pcap_gateway
