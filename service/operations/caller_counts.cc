#include "service/operations/caller_counts.h"

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "service/base/mutex.h"
#include "service/operations/recent_errors.h"

namespace pcap_gateway {

void CallerCounts::Ended(const EndedCall& call) {
  Counts& counts = certificates_ ? Of(call.caller().principal) : none_;
  counts.calls.Add();
  counts.upstream.Add(static_cast<uint64_t>(call.upstream_requests));
  if (call.code() == absl::StatusCode::kOk) return;
  (IsFault(call.code()) ? counts.faults : counts.mistakes).Add();
}

CallerCounts::Counts& CallerCounts::Of(const std::string& name) {
  if (name.empty()) return none_;
  // A series must not be there twice.
  if (name.size() > kLongestName || name == kNone || name == kOther) return other_;
  {
    const ReadLock lock(mutex_);
    if (const auto found = named_.find(name); found != named_.end()) return *found->second;
    if (named_.size() >= kMostNames) return other_;
  }
  const WriteLock lock(mutex_);
  if (const auto found = named_.find(name); found != named_.end()) return *found->second;
  if (named_.size() >= kMostNames) return other_;
  return *named_.emplace(name, std::make_unique<Counts>()).first->second;
}

std::vector<std::pair<std::string, double>> CallerCounts::All(What what) const {
  const auto figure = [what](const Counts& counts) {
    switch (what) {
      case What::kCalls:
        return static_cast<double>(counts.calls.Value());
      case What::kUpstream:
        return static_cast<double>(counts.upstream.Value());
      case What::kMistakes:
        return static_cast<double>(counts.mistakes.Value());
      case What::kFaults:
        break;
    }
    return static_cast<double>(counts.faults.Value());
  };
  std::vector<std::pair<std::string, double>> all = {{std::string(kNone), figure(none_)},
                                                     {std::string(kOther), figure(other_)}};
  const ReadLock lock(mutex_);
  for (const auto& [name, counts] : named_) {
    all.emplace_back(absl::CHexEscape(name), figure(*counts));
  }
  return all;
}

}  // namespace pcap_gateway
