// Budget: how many requests one credential may still send to Cloudflare, who may send them, and who
// has to wait until when.
//
//   Budget budget({.limit = 1200, .window = absl::Minutes(5)});
//   const Spending spending{.question = hash, .caller = "ipv4:10.1.2.3"};
//   budget.Ask(spending, now);
//   const std::variant<Grant, Refusal> said = budget.Spend(spending, now);
//   if (const auto* refusal = std::get_if<Refusal>(&said)) return ComeAgainIn(refusal->wait);
//   const HttpAnswer answer = Send();
//   budget.Ended(std::get<Grant>(said), answer.sendings, &answer, now);
//
// Past 1200 requests in five minutes Cloudflare answers nothing for the next five, dashboards
// included; so the window slides, where a token bucket of that size would let twice as many pass
// across a window's edge. A request counts from when it is granted until a window after its end,
// and up to a slot (budget_rules.h: half a second) longer: by then Cloudflare has counted it,
// however long it was under way.
//
// Where there is not enough for all, callers have max-min fair parts (CallerShares), and the last
// part of the limit, the hold, is for those who have had less than half of theirs. A refused
// caller is told when to come again, within a window; where a request is free by then, it is kept
// for that question (Places). A place is worth something only if its caller comes, and what is free
// is for whoever is there.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGET_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/budget_rules.h"
#include "service/source/http_answer.h"
#include "service/source/refusal.h"
#include "service/upstream/caller_shares.h"
#include "service/upstream/places.h"
#include "service/upstream/sliding_count.h"

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
  // Of `limit`, so many are for callers who have had less than half of their part. Absent: a
  // twentieth.
  std::optional<int64_t> hold;
  // The longest block that Cloudflare knows, and the longest that a 429 or a Ratelimit is believed;
  // a 429 that names no time is taken to mean it. After that one request finds out.
  absl::Duration longest_block = absl::Minutes(5);
};

// A request that wants to be sent.
struct Spending {
  uint64_t question = 0;  // tells requests apart: a place is kept for it
  absl::string_view caller;
  bool background = false;  // nobody waits for the answer, and `caller` is nobody
};

// A request that may be sent. Ends with Budget::Ended.
struct Grant {
  uint64_t number = 0;  // ascending
  std::string caller;
  bool background = false;
};

// Not thread-safe. Times given to it never go back.
class Budget {
 public:
  explicit Budget(const BudgetPolicy& policy);

  // Notes that the caller wants to send one more, whether or not it then may. A question that has a
  // place was counted when it got that; the background has no part in it.
  void Ask(const Spending& spending, absl::Time now);

  // Asks leave for one request.
  std::variant<Grant, Refusal> Spend(const Spending& spending, absl::Time now);

  // The same for a request that all replicas together have room for. The own count and what
  // Cloudflare itself said still stand against it.
  std::variant<Grant, Refusal> SpendGranted(const Spending& spending, absl::Time now);

  // The answer to a granted request is a good one, but its end may be far. `head`: what Cloudflare
  // says of its own count, as with Ended.
  void Began(const Grant& grant, const HttpAnswer& head, absl::Time now);

  // A granted request is over. `sendings`: how often it left the process; 0 gives it back.
  // `answer`: null, or what came, with what Cloudflare says of its own count: Ratelimit,
  // Ratelimit-Policy, 429 with Retry-After. Null after Began, which has learned it.
  void Ended(const Grant& grant, int sendings, const HttpAnswer* answer, absl::Time now);

  // Until when nothing may be sent, by Cloudflare's own word; absent: something may.
  std::optional<absl::Time> BarredUntil(absl::Time now) const;

  // Until when Cloudflare answers nothing, as it said with a 429; absent: it does.
  std::optional<absl::Time> BlockedUntil(absl::Time now) const;

  // So many replicas share the credential (1 or more), and so many requests were left for them all.
  // Counts from the moment on when they cannot be asked any more: then each keeps to its part.
  void ShareWith(int64_t replicas, int64_t left, absl::Time now);

  // Requests that fit into a window, by Cloudflare's word or the policy.
  int64_t limit() const { return limit_; }
  int64_t hold() const { return policy_.hold.value_or(limit_ / 20); }

  // Requests that would be granted at once to somebody who has had none.
  int64_t left(absl::Time now);

  // Whether a request is under way that Ended will be called for.
  bool is_waiting() const { return under_way_ > 0; }

  // Whether something of it is still to be remembered: a request in the window, or Cloudflare's
  // word.
  bool in_use(absl::Time now);

  std::vector<CallerView> LargestCallers(size_t most, absl::Time now) {
    return shares_.Largest(most, now);
  }

 private:
  int64_t SlotOf(absl::Time time) const;
  int64_t BucketOf(absl::Time time) const { return SlotOf(time) / budget_rules::kSlotsOfBucket; }
  absl::Time BeginOf(int64_t bucket) const;

  void Forget(absl::Time now);
  int64_t Total() const { return under_way_ + ended_.total(); }
  int64_t Part(int64_t of) const { return of / replicas_; }

  // By bucket, from now's on.
  using Plan = std::array<double, budget_rules::kBucketsOfWindow + 1>;

  Plan PlanFrom(absl::Time now, double taken) const;
  double Free(absl::Time now) const;
  absl::Duration LendEach() const;
  std::optional<Refusal> WhyNot(const Spending& spending, absl::Time now);
  Refusal RefuseUntil(const Spending& spending, absl::Time first, absl::Time now);
  std::optional<int64_t> FirstFreeBucket(absl::string_view caller, double spent, double level,
                                         int64_t first, absl::Time now);
  std::optional<absl::Time> HeldBackUntil(absl::Time now) const;
  int64_t ToldLeft() const;
  Grant GrantTo(const Spending& spending, absl::Time now);
  void GiveUpPlace(uint64_t question, absl::Time now);
  void UnpromiseTo(absl::string_view caller, absl::Time now);
  void Learn(const Grant& grant, const HttpAnswer& answer, absl::Time now);

  const BudgetPolicy policy_;
  const absl::Duration slot_length_;
  int64_t limit_;  // the policy's, or Cloudflare's own

  int64_t under_way_ = 0;  // granted, and not ended
  SlidingCount ended_;
  uint64_t last_number_ = 0;
  CallerShares shares_;
  Places places_;
  absl::Time lend_at_ = absl::InfinitePast();  // to the next caller who has had its part

  absl::Time blocked_until_ = absl::InfinitePast();
  // By Cloudflare's count so many more before `told_until_`, when it had counted the request with
  // that number.
  absl::Time told_until_ = absl::InfinitePast();
  int64_t told_left_ = 0;
  uint64_t told_by_ = 0;
  // Cloudflare said no, and since then it has not said yes: requests go one by one.
  bool is_finding_out_ = false;
  std::optional<uint64_t> scout_;  // the one that is under way

  // Of what was left for all replicas, this one's part, until what was sent before has expired.
  int64_t replicas_ = 1;
  int64_t share_left_ = 0;
  absl::Time share_until_ = absl::InfinitePast();
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_BUDGET_H_
