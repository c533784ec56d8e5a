#include "service/upstream/budget.h"

#include <algorithm>

#include "service/source/retry_after.h"
#include "service/upstream/rate_limit_headers.h"

namespace pcap_gateway {
namespace {

constexpr int kTooManyRequests = 429;

}  // namespace

Budget::Budget(const BudgetPolicy& policy)
    : policy_(policy), slot_length_(policy.window / kSlotsOfWindow), limit_(policy.limit) {}

std::optional<absl::Time> Budget::Spend(uint64_t question, bool background, absl::Time now) {
  const int64_t slot = SlotOf(now);
  Forget(slot);
  const bool stands =
      told_is_explained_ && now >= blocked_until_ && !background && HasPlaceIn(question, slot);
  if (const std::optional<absl::Time> barred = BarredUntil(now); barred.has_value() && !stands) {
    return background ? *barred : PromiseAfter(question, *barred);
  }
  if (now < share_until_ && share_left_ <= 0) {
    return background ? share_until_ : PromiseAfter(question, share_until_);
  }
  if (background) {
    const int64_t reserve = policy_.reserve / replicas_;
    if (RoomIn(slot) <= reserve) return BeginOf(FirstWithRoom(slot + 1, reserve + 1));
    AddTo(slot, 1);
  } else if (const auto promise = promises_.find(question); promise != promises_.end()) {
    if (promise->second > slot) return BeginOf(promise->second);
    promises_.erase(promise);  // it is counted where it was promised
  } else if (RoomIn(slot) > 0) {
    AddTo(slot, 1);
  } else {
    return Promise(question, FirstWithRoom(std::max(slot + 1, last_promise_), 1));
  }
  --told_left_;
  --share_left_;
  return std::nullopt;
}

std::optional<absl::Time> Budget::SpendGranted(int64_t left, absl::Time now) {
  const bool explained = told_ >= left;
  const std::optional<absl::Time> barred = explained ? BlockedUntil(now) : BarredUntil(now);
  if (barred.has_value()) return barred;
  const int64_t slot = SlotOf(now);
  Forget(slot);
  AddTo(slot, 1);
  --told_left_;
  --share_left_;
  return std::nullopt;
}

std::optional<absl::Time> Budget::BlockedUntil(absl::Time now) const {
  return now < blocked_until_ ? std::optional(blocked_until_) : std::nullopt;
}

std::optional<absl::Time> Budget::BarredUntil(absl::Time now) const {
  const bool told = now < told_until_ && told_left_ <= 0;
  const absl::Time until = told ? std::max(blocked_until_, told_until_) : blocked_until_;
  return now < until ? std::optional(until) : std::nullopt;
}

void Budget::ShareWith(int64_t replicas, int64_t left, absl::Time now) {
  replicas_ = replicas;
  share_left_ = left / replicas;
  share_until_ = now + kSlotsCounted * slot_length_;
}

// Whether the question was promised a place, and its time has come.
bool Budget::HasPlaceIn(uint64_t question, int64_t slot) const {
  const auto promise = promises_.find(question);
  return promise != promises_.end() && promise->second <= slot;
}

// Where nothing may be sent before `barred`: all who wait for that would come at once, and most of
// them in vain.
absl::Time Budget::PromiseAfter(uint64_t question, absl::Time barred) {
  const int64_t last_barred = SlotOf(barred - absl::Nanoseconds(1));
  const auto promise = promises_.find(question);
  if (promise != promises_.end()) {
    if (promise->second > last_barred) return BeginOf(promise->second);
    AddTo(promise->second, -1);  // a place that cannot be kept
    promises_.erase(promise);
  }
  return Promise(question, FirstWithRoom(std::max(last_barred + 1, last_promise_), 1));
}

absl::Time Budget::Promise(uint64_t question, int64_t slot) {
  if (promises_.size() < kMostPromises) {
    promises_.emplace(question, slot);
    promises_by_slot_.emplace_back(slot, question);
    last_promise_ = slot;
    AddTo(slot, 1);
  }
  return BeginOf(slot);
}

void Budget::Learn(const HttpAnswer& answer, int64_t in_flight, absl::Time now) {
  for (const RateLimitPolicy& policy : RateLimitPoliciesFrom(answer.ratelimit_policy)) {
    if (policy.window != policy_.window) continue;
    limit_ = policy_.limit_is_final ? std::min(policy_.limit, policy.quota) : policy.quota;
  }
  const std::vector<RateLimit> limits = RateLimitsFrom(answer.ratelimit);
  const auto least = std::min_element(
      limits.begin(), limits.end(),
      [](const RateLimit& a, const RateLimit& b) { return a.remaining < b.remaining; });
  if (least != limits.end()) {
    const absl::Time until = now + least->reset;
    const int64_t left = least->remaining - in_flight;
    // Answers overtake each other: within one period the least counts.
    const bool same_period = now < told_until_ && until <= told_until_ + absl::Seconds(1);
    const bool explained = least->remaining >= limit_ - SentOrDue(SlotOf(now));
    told_is_explained_ = explained && (told_is_explained_ || !same_period);
    if (!same_period || left < told_left_) {
      told_left_ = left;
      told_ = least->remaining;
      told_until_ = until;
    }
  }
  if (answer.status == kTooManyRequests) {
    const absl::Duration asked =
        RetryAfterFrom(answer.retry_after, now).value_or(policy_.usual_block);
    blocked_until_ = std::max(blocked_until_, now + std::min(asked, policy_.longest_block));
  }
}

int64_t Budget::left(absl::Time now) {
  const int64_t slot = SlotOf(now);
  Forget(slot);
  if (now < blocked_until_) return 0;
  const int64_t room = std::max<int64_t>(RoomIn(slot), 0);
  return now < told_until_ ? std::clamp<int64_t>(told_left_, 0, room) : room;
}

int64_t Budget::SlotOf(absl::Time time) const {
  absl::Duration rest;
  return absl::IDivDuration(time - absl::UnixEpoch(), slot_length_, &rest);
}

absl::Time Budget::BeginOf(int64_t slot) const { return absl::UnixEpoch() + slot * slot_length_; }

int64_t Budget::CountOf(int64_t slot) const {
  const int64_t index = slot - first_;
  return index >= 0 && index < static_cast<int64_t>(counts_.size()) ? counts_[index] : 0;
}

void Budget::AddTo(int64_t slot, int64_t count) {
  if (slot < first_) return;
  const auto index = static_cast<size_t>(slot - first_);
  if (index >= counts_.size()) counts_.resize(index + 1);
  counts_[index] += count;
}

// Of what is over by `slot`: counts that no window reaches back to, and promises nobody came for.
void Budget::Forget(int64_t slot) {
  while (!promises_by_slot_.empty() && promises_by_slot_.front().first + kGraceSlots < slot) {
    const auto [promised, question] = promises_by_slot_.front();
    promises_by_slot_.pop_front();
    const auto found = promises_.find(question);
    if (found == promises_.end() || found->second != promised) continue;
    promises_.erase(found);
    AddTo(promised, -1);
  }
  const int64_t oldest = slot - kSlotsCounted + 1;
  while (!counts_.empty() && first_ < oldest) {
    counts_.pop_front();
    ++first_;
  }
  if (counts_.empty()) first_ = oldest;
}

// In a window that ends with `slot`.
int64_t Budget::SentOrDue(int64_t slot) const {
  int64_t sum = 0;
  for (int64_t s = slot - kSlotsCounted + 1; s <= slot; ++s) sum += CountOf(s);
  return sum;
}

// How many more fit into `slot`, so that no window which it is part of holds more than the limit.
int64_t Budget::RoomIn(int64_t slot) const {
  int64_t sum = SentOrDue(slot);
  int64_t most = sum;
  for (int64_t s = slot + 1; s < slot + kSlotsCounted; ++s) {
    sum += CountOf(s) - CountOf(s - kSlotsCounted);
    most = std::max(most, sum);
  }
  return std::max<int64_t>(limit_ / replicas_, 1) - most;
}

int64_t Budget::FirstWithRoom(int64_t slot, int64_t room) const {
  // Beyond all that is counted there is room for anything that fits at all.
  const int64_t empty = first_ + static_cast<int64_t>(counts_.size()) + kSlotsCounted;
  while (slot < empty && RoomIn(slot) < room) ++slot;
  return slot;
}

}  // namespace pcap_gateway
