// Budget: how many requests one credential may still send to Cloudflare, and who has to wait until
// when.
//
//   Budget budget({.limit = 1200, .window = absl::Minutes(5)});
//   if (std::optional<absl::Time> later = budget.Spend(question, /*background=*/false, now)) …
//   budget.Learn(answer, now);
//
// Past 1200 requests in five minutes Cloudflare answers nothing for the next five, dashboards
// included; so the budget counts for certain, where a token bucket of that size would let twice as
// many pass across a window's edge. Time is cut into slots, and no window of slots ever holds more
// than the limit.
//
// Who is refused gets a time that holds: the request is entered into the slot where it will fit,
// and stays entered there for the question's return. Who does not come back gives the place up
// after a while.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGET_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGET_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "service/source/http_answer.h"

namespace pcap_gateway {

struct BudgetPolicy {
  // Requests that fit into any `window`; 1 or more. Cloudflare, "Rate limits": 1200 in five
  // minutes for a user or account token, over all that use it.
  int64_t limit = 1200;
  // Cloudflare's own word does not raise it.
  bool limit_is_final = false;
  absl::Duration window = absl::Minutes(5);
  // Of `limit`, so many are for calls alone; refreshes in the background leave them.
  int64_t reserve = 240;
  // How long after a 429 nothing is sent, where the answer does not say; and at most, whatever it
  // says.
  absl::Duration usual_block = absl::Minutes(5);
  absl::Duration longest_block = absl::Minutes(10);
};

// Not thread-safe. Times given to it never go back.
class Budget {
 public:
  explicit Budget(const BudgetPolicy& policy);

  // Asks leave for one request. Absent: granted, and counted. Else: when to come again, later than
  // `now`; then the request named by `question` will be granted, unless Cloudflare says otherwise
  // in the meantime. A background request is promised nothing.
  std::optional<absl::Time> Spend(uint64_t question, bool background, absl::Time now);

  // The same for a request that all replicas together have room for, and `left` more. Only what
  // Cloudflare itself said can still stand against it: a block, or a count that the replicas'
  // requests do not explain.
  std::optional<absl::Time> SpendGranted(int64_t left, absl::Time now);

  // Until when Cloudflare answers nothing; absent: it does.
  std::optional<absl::Time> BlockedUntil(absl::Time now) const;

  // Until when nothing may be sent, by Cloudflare's own word; absent: something may.
  std::optional<absl::Time> BarredUntil(absl::Time now) const;

  // So many replicas share the credential, and so many requests were left for them all. Counts from
  // the moment on when they cannot be asked any more: then each keeps to its part.
  void ShareWith(int64_t replicas, int64_t left, absl::Time now);

  // Takes note of what Cloudflare says of its own count: Ratelimit, Ratelimit-Policy, 429 with
  // Retry-After. `in_flight`: requests that are sent and not answered, which it may not have
  // counted yet.
  void Learn(const HttpAnswer& answer, int64_t in_flight, absl::Time now);

  // Requests that fit into a window, by Cloudflare's word or the policy.
  int64_t limit() const { return limit_; }

  // Requests that would be granted at once.
  int64_t left(absl::Time now);

 private:
  // A window is counted with two slots more than it has, because a request may have been sent at
  // the very beginning of the first one, and for what the network delays; and with as many more as
  // a promised place outlasts its slot.
  static constexpr int64_t kSlotsOfWindow = 60;
  static constexpr int64_t kGraceSlots = 2;
  static constexpr int64_t kSlotsCounted = kSlotsOfWindow + 2 + kGraceSlots;
  // Beyond that many nobody is promised anything more: some twenty minutes at ten times the
  // documented limit.
  static constexpr size_t kMostPromises = 50'000;

  int64_t SlotOf(absl::Time time) const;
  absl::Time BeginOf(int64_t slot) const;
  int64_t CountOf(int64_t slot) const;
  void AddTo(int64_t slot, int64_t count);
  void Forget(int64_t slot);
  int64_t SentOrDue(int64_t slot) const;
  int64_t RoomIn(int64_t slot) const;
  int64_t FirstWithRoom(int64_t slot, int64_t room) const;
  bool HasPlaceIn(uint64_t question, int64_t slot) const;
  absl::Time PromiseAfter(uint64_t question, absl::Time barred);
  absl::Time Promise(uint64_t question, int64_t slot);

  const BudgetPolicy policy_;
  const absl::Duration slot_length_;
  int64_t limit_;  // the policy's, or Cloudflare's own

  // Requests sent or promised, from slot `first_` on; what is before is too old to count.
  std::deque<int64_t> counts_;
  int64_t first_ = 0;

  absl::flat_hash_map<uint64_t, int64_t> promises_;            // the slot, by question
  std::deque<std::pair<int64_t, uint64_t>> promises_by_slot_;  // ascending; kept ones too
  int64_t last_promise_ = 0;                                   // its slot

  absl::Time blocked_until_ = absl::InfinitePast();
  // By Cloudflare's own count, so many more before then.
  absl::Time told_until_ = absl::InfinitePast();
  int64_t told_left_ = 0;
  int64_t told_ = 0;  // as it said, without what was in flight
  // Our own requests account for all that it counted. Then it does not stand against a promise:
  // those in flight, taken off once more, would refuse the last ones who were promised a place.
  bool told_is_explained_ = false;

  // Of what was left for all replicas, this one's part, until what was sent before has expired.
  int64_t replicas_ = 1;
  int64_t share_left_ = 0;
  absl::Time share_until_ = absl::InfinitePast();
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGET_H_
