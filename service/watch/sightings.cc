#include "service/watch/sightings.h"

#include <algorithm>
#include <utility>

#include "service/freshness/succession.h"

namespace pcap_gateway {

void Sightings::BeginList() {
  for (auto& [id, sighting] : known_) sighting.in_list = false;
}

void Sightings::Learn(const Id& id, const OutcomePtr& outcome, bool listed) {
  const auto [place, is_new] = known_.try_emplace(id);
  Sighting& sighting = place->second;
  bool changes = is_new;
  bool ended = false;
  if (is_new) {
    sighting.id = id;
  } else {
    const bool was_final = sighting.is_final();
    const bool is_final = outcome->stage == Stage::kFinal;
    const bool is_older = outcome->as_of < sighting.as_of && !(is_final && !was_final);
    changes = !is_older && !FallsBehind(*outcome, *sighting.outcome) &&
              outcome->message != sighting.outcome->message;
    ended = changes && is_final && !was_final;
  }
  sighting.as_of = is_new ? outcome->as_of : std::max(sighting.as_of, outcome->as_of);
  if (changes) {
    sighting.outcome = outcome;
    sighting.changed = ++last_;
    ended = ended || (is_new && sighting.is_final());
  }
  if (listed) {
    sighting.in_list = true;
    if (sighting.listed == 0) {
      sighting.listed = ++last_;
      changes = true;
    }
  }
  if (!changes) return;
  changes_.push_back({id, ended});
  view_ = nullptr;
}

void Sightings::Forget(const Id& id) {
  if (known_.erase(id) > 0) view_ = nullptr;
}

void Sightings::ForgetPast() {
  absl::erase_if(
      known_, [](const auto& known) { return !known.second.in_list && !known.second.is_final(); });
  view_ = nullptr;
}

const Sighting* Sightings::Find(const Id& id) const {
  const auto found = known_.find(id);
  return found == known_.end() ? nullptr : &found->second;
}

std::vector<Sightings::Change> Sightings::TakeChanges() { return std::exchange(changes_, {}); }

View Sightings::Look() {
  if (view_ == nullptr) {
    auto view = std::make_shared<std::vector<Sighting>>();
    view->reserve(known_.size());
    for (const auto& [id, sighting] : known_) view->push_back(sighting);
    view_ = std::move(view);
  }
  return view_;
}

void Sightings::DropOldest(std::vector<const Sighting*> past) {
  std::sort(past.begin(), past.end(),
            [](const Sighting* a, const Sighting* b) { return a->changed > b->changed; });
  std::vector<Id> dropped;
  for (size_t i = kMostPast; i < past.size(); ++i) dropped.push_back(past[i]->id);
  for (const Id& id : dropped) known_.erase(id);
  view_ = nullptr;
}

void Reader::Take(View view) {
  waiting_.clear();
  for (const Sighting& sighting : *view) {
    if (NumberOf(sighting) > read_) waiting_.push_back(&sighting);
  }
  std::sort(waiting_.begin(), waiting_.end(),
            [this](const Sighting* a, const Sighting* b) { return NumberOf(*a) > NumberOf(*b); });
  view_ = waiting_.empty() ? nullptr : std::move(view);
}

void Reader::Drop() {
  waiting_.clear();
  view_ = nullptr;
}

OutcomePtr Reader::Next() {
  if (waiting_.empty()) return nullptr;
  const Sighting& next = *waiting_.back();
  waiting_.pop_back();
  read_ = NumberOf(next);
  OutcomePtr outcome = next.outcome;
  if (waiting_.empty()) view_ = nullptr;
  return outcome;
}

// 0: it is not for this reader.
uint64_t Reader::NumberOf(const Sighting& sighting) const {
  if (ids_ != nullptr) {
    return std::binary_search(ids_->begin(), ids_->end(), sighting.id) ? sighting.changed : 0;
  }
  return sighting.listed == 0 ? 0 : std::max(sighting.changed, sighting.listed);
}

}  // namespace pcap_gateway
