#include "service/upstream/places.h"

#include <utility>

#include "service/source/budget_rules.h"

namespace pcap_gateway {

std::optional<int64_t> Places::BucketOf(uint64_t question) const {
  const auto place = places_.find(question);
  return place == places_.end() ? std::nullopt : std::optional(place->second.bucket);
}

void Places::Keep(uint64_t question, absl::string_view caller, int64_t bucket) {
  if (places_.empty()) taken_ = 1;
  places_.emplace(question, Place{bucket, std::string(caller)});
  Bucket& in = buckets_[bucket];
  ++in.places;
  in.questions.push_back(question);
}

std::optional<std::string> Places::Take(uint64_t question, int64_t now) {
  const auto place = places_.find(question);
  if (place == places_.end()) return std::nullopt;
  // Who comes before the time shows nothing of who comes at it.
  if (place->second.bucket <= now) Note(true);
  --buckets_.find(place->second.bucket)->second.places;
  std::string caller = std::move(place->second.caller);
  places_.erase(place);
  return caller;
}

std::vector<std::string> Places::Forget(int64_t now) {
  std::vector<std::string> callers;
  while (!buckets_.empty() && buckets_.begin()->first <= now - budget_rules::kBucketsToCome) {
    const auto& [bucket, in] = *buckets_.begin();
    for (const uint64_t question : in.questions) {
      const auto place = places_.find(question);
      if (place == places_.end() || place->second.bucket != bucket) continue;
      Note(false);
      callers.push_back(std::move(place->second.caller));
      places_.erase(place);
    }
    buckets_.erase(buckets_.begin());
  }
  return callers;
}

void Places::Note(bool taken) {
  taken_ += ((taken ? 1.0 : 0.0) - taken_) * budget_rules::kLatestPlace;
}

}  // namespace pcap_gateway
