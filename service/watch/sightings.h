// Sightings: what is known of an account's captures, and in which order it became known; Reader:
// how far one watcher has got in it.
//
// Each change has a number, and a capture bears that of its latest one. So a watcher needs to
// remember one number, however many captures it follows, and finds the latest state of each.
#ifndef PCAP_GATEWAY_SERVICE_WATCH_SIGHTINGS_H_
#define PCAP_GATEWAY_SERVICE_WATCH_SIGHTINGS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "service/source/id.h"
#include "service/source/outcome.h"

namespace pcap_gateway {

struct Sighting {
  Id id;
  OutcomePtr outcome;    // as Endpoint::parts has it
  uint64_t changed = 0;  // number of the change that brought it
  uint64_t listed = 0;   // of the one by which a list first had the capture; 0: none has
  absl::Time as_of;      // of the latest word on it
  bool in_list = false;  // the latest list has it; not kept up to date in a View

  bool is_final() const { return outcome->stage == Stage::kFinal; }
};

// Immutable; shared by all who have yet to read it.
using View = std::shared_ptr<const std::vector<Sighting>>;

// One thread.
class Sightings {
 public:
  // What is neither listed nor named any more: so many are remembered, for slow readers.
  static constexpr size_t kMostPast = 100;

  struct Change {
    Id id;
    bool ended = false;  // it is final, and was not
  };

  // A list came: what is not learnt from it now (Learn, with `listed`) is no longer in it.
  void BeginList();
  // Word on a capture; from a list, if `listed`. What is older than what is known, or would make a
  // final capture move again, changes nothing.
  void Learn(const Id& id, const OutcomePtr& outcome, bool listed);
  // Cloudflare does not know it.
  void Forget(const Id& id);
  // Forgets what moves and is missing in the list.
  void ForgetPast();
  // Drops the oldest of those that are neither in the list nor `kept`.
  template <typename Kept>
  void Trim(Kept kept);

  // Null: not known.
  const Sighting* Find(const Id& id) const;
  const absl::flat_hash_map<Id, Sighting>& all() const { return known_; }

  // Since the last call.
  std::vector<Change> TakeChanges();
  // All, in no order.
  View Look();

 private:
  void DropOldest(std::vector<const Sighting*> past);

  absl::flat_hash_map<Id, Sighting> known_;
  uint64_t last_ = 0;  // change
  std::vector<Change> changes_;
  View view_;  // null: it has changed since
};

template <typename Kept>
void Sightings::Trim(Kept kept) {
  std::vector<const Sighting*> past;
  for (const auto& [id, sighting] : known_) {
    if (!sighting.in_list && !kept(id)) past.push_back(&sighting);
  }
  if (past.size() > kMostPast) DropOldest(std::move(past));
}

// One thread.
class Reader {
 public:
  // `ids`: of the captures, sorted. Null: all that a list has had.
  explicit Reader(std::shared_ptr<const std::vector<Id>> ids) : ids_(std::move(ids)) {}

  // In place of the one before, of which what was not read is read in its newer state.
  void Take(View view);
  // Reads no more.
  void Drop();

  // The next capture that is new to it; null: there is none.
  OutcomePtr Next();

 private:
  uint64_t NumberOf(const Sighting& sighting) const;

  const std::shared_ptr<const std::vector<Id>> ids_;
  View view_;                             // null: it is read
  std::vector<const Sighting*> waiting_;  // in `view_`; the next one last
  uint64_t read_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_WATCH_SIGHTINGS_H_
