#include "service/upstream/caller_shares.h"

#include <algorithm>

namespace pcap_gateway {

void RecentCount::Forget(int64_t part) {
  if (part - newest_ >= kParts) {
    counts_.fill(0);
    total_ = 0;
    newest_ = part;
  }
  while (newest_ < part) {
    int32_t& oldest = counts_[static_cast<size_t>(++newest_ % kParts)];
    total_ -= oldest;
    oldest = 0;
  }
}

void RecentCount::Add(int64_t part, int64_t count) {
  Forget(part);
  counts_[static_cast<size_t>(newest_ % kParts)] += static_cast<int32_t>(count);
  total_ += count;
}

int64_t RecentCount::PartWithAtMost(int64_t most) const {
  int64_t left = total_;
  int64_t oldest = newest_ - kParts + 1;
  while (left > most && oldest <= newest_) left -= counts_[static_cast<size_t>(oldest++ % kParts)];
  return oldest + kPartsOfWindow;
}

// Counts cover a part more than the window, so that much more is there for them.
double CallerShares::Counted(int64_t limit) {
  return static_cast<double>(limit) * (1 + 1.0 / RecentCount::kPartsOfWindow);
}

int64_t CallerShares::PartOf(absl::Time time) const {
  absl::Duration rest;
  return absl::IDivDuration(time - absl::UnixEpoch(), part_, &rest);
}

void CallerShares::Forget(CallerShare& share, absl::Time now) const {
  const int64_t part = PartOf(now);
  share.spent.Forget(part);
  share.demand.Forget(part);
}

CallerShare& CallerShares::Of(absl::string_view caller, absl::Time now) {
  auto found = callers_.find(caller);
  if (found == callers_.end()) {
    if (callers_.size() >= budget_rules::kMostCallers) ForgetLeast(now);
    found = callers_.emplace(caller, CallerShare()).first;
  }
  Forget(found->second, now);
  return found->second;
}

void CallerShares::Ask(absl::string_view caller, absl::Time now) {
  demand_.Add(PartOf(now), 1);
  CallerShare& share = Of(caller, now);
  share.demand.Add(PartOf(now), 1);
  share.asked_at = now;
}

void CallerShares::Spend(absl::string_view caller, int64_t count, absl::Time now) {
  RecentCount& spent = Of(caller, now).spent;
  spent.Add(PartOf(now), std::max(count, -spent.total()));
}

bool CallerShares::IsQuiet(const CallerShare& share, absl::Time now) const {
  const absl::Duration window = part_ * RecentCount::kPartsOfWindow;
  const absl::Duration usual =
      budget_rules::kQuietAfterTimes * window / std::max<int64_t>(share.demand.total(), 1);
  return now - share.asked_at >
         std::clamp(usual, budget_rules::kQuietAfterAtLeast, budget_rules::kQuietAfterAtMost);
}

bool CallerShares::IsEnoughForAll(int64_t limit, absl::Time now) {
  demand_.Forget(PartOf(now));
  return static_cast<double>(demand_.total()) <= Counted(limit);
}

double CallerShares::LevelFor(absl::string_view caller, int64_t limit, absl::Time now) {
  double left = Counted(limit);
  std::vector<double> demands;
  demands.reserve(callers_.size());
  for (auto& [name, share] : callers_) {
    if (name == caller) continue;
    Forget(share, now);
    if (IsQuiet(share, now)) {
      left -= static_cast<double>(share.spent.total());
    } else {
      demands.push_back(static_cast<double>(share.demand.total()));
    }
  }
  left = std::max(left, 1.0);
  std::sort(demands.begin(), demands.end());
  for (size_t i = 0; i < demands.size(); ++i) {
    const double part = left / static_cast<double>(demands.size() - i + 1);
    if (demands[i] > part) return part;
    left -= demands[i];
  }
  return left;
}

std::optional<absl::Time> CallerShares::RoomBelow(double level, const CallerShare& share) const {
  const int64_t most = static_cast<int64_t>(level) - 1 - share.promised;
  if (most < 0) return std::nullopt;
  return absl::UnixEpoch() + share.spent.PartWithAtMost(most) * part_;
}

std::vector<CallerView> CallerShares::Largest(size_t most, absl::Time now) {
  std::vector<CallerView> all;
  for (auto& [name, share] : callers_) {
    Forget(share, now);
    all.push_back({name, share.spent.total(), share.demand.total()});
  }
  most = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(most), all.end(),
                    [](const CallerView& a, const CallerView& b) { return a.spent > b.spent; });
  all.resize(most);
  return all;
}

void CallerShares::ForgetLeast(absl::Time now) {
  for (auto& [name, share] : callers_) Forget(share, now);
  callers_.erase(
      std::min_element(callers_.begin(), callers_.end(), [](const auto& a, const auto& b) {
        return a.second.promised + a.second.demand.total() <
               b.second.promised + b.second.demand.total();
      }));
}

}  // namespace pcap_gateway
