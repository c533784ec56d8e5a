// CallerShares: what each caller has had of a budget, and what its fair part of it is.
//
//   CallerShares shares(absl::Minutes(5));
//   shares.Ask("ipv4:10.1.2.3", now);
//   const double level = shares.LevelFor("ipv4:10.1.2.3", 1200, now);
//   const int64_t spent = shares.Of("ipv4:10.1.2.3", now).spent.total();
//   if (static_cast<double>(spent) < level) shares.Spend("ipv4:10.1.2.3", 1, now);
//
// Parts are max-min fair: the level is where the demand of all callers in the last window, each
// counted up to it, just fills the limit. Whoever asks for less than the level gets all it asks
// for.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_CALLER_SHARES_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_CALLER_SHARES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/budget_rules.h"

namespace pcap_gateway {

// Counts what lies within a window, to a twentieth of it: nothing is left out too early, and all of
// it a twentieth late at most.
class RecentCount {
 public:
  static constexpr int64_t kPartsOfWindow = budget_rules::kPartsOfWindow;

  // `part` never goes back.
  void Forget(int64_t part);
  void Add(int64_t part, int64_t count);

  int64_t total() const { return total_; }
  // The part from which on no more than `most` are left of what is counted now; as of the last
  // Forget or Add.
  int64_t PartWithAtMost(int64_t most) const;

 private:
  static constexpr int64_t kParts = kPartsOfWindow + 1;

  std::array<int32_t, kParts> counts_{};  // by part, modulo kParts
  int64_t newest_ = 0;
  int64_t total_ = 0;
};

struct CallerShare {
  RecentCount spent;     // requests granted
  RecentCount demand;    // requests asked for, refused ones too
  int64_t promised = 0;  // places kept for it
  absl::Time asked_at = absl::InfinitePast();
};

// What one caller has had, for who looks on.
struct CallerView {
  std::string name;
  int64_t spent = 0;   // in the last window
  int64_t demand = 0;  // likewise; refused ones too
};

// Not thread-safe. Times given to it never go back.
class CallerShares {
 public:
  explicit CallerShares(absl::Duration window) : part_(window / RecentCount::kPartsOfWindow) {}

  // The caller's share as of `now`. The reference holds until the next call of Of.
  CallerShare& Of(absl::string_view caller, absl::Time now);

  // Notes that the caller asks for one more request.
  void Ask(absl::string_view caller, absl::Time now);

  // Notes that it was granted `count` more; negative: that they are given back.
  void Spend(absl::string_view caller, int64_t count, absl::Time now);

  // Whether `limit` requests in a window are as many as all callers together ask for.
  bool IsEnoughForAll(int64_t limit, absl::Time now);

  // How many requests the caller may have spent when a window has `limit` of them: its part,
  // however much it asks for. The demand of callers who have gone quiet is not held against it;
  // what they have spent is.
  double LevelFor(absl::string_view caller, int64_t limit, absl::Time now);

  // When the share will have room for one request more below `level`, what it is promised
  // included; in the past where it has. Absent: not within a window.
  std::optional<absl::Time> RoomBelow(double level, const CallerShare& share) const;

  // Of the `most` that have spent most, the first one first.
  std::vector<CallerView> Largest(size_t most, absl::Time now);

 private:
  static double Counted(int64_t limit);
  int64_t PartOf(absl::Time time) const;
  void Forget(CallerShare& share, absl::Time now) const;
  bool IsQuiet(const CallerShare& share, absl::Time now) const;
  void ForgetLeast(absl::Time now);

  const absl::Duration part_;
  absl::flat_hash_map<std::string, CallerShare> callers_;
  RecentCount demand_;  // of all together
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_CALLER_SHARES_H_
