// What is found in the store, and what would be with another rule of eviction in the same bytes.
//
//   eviction      prints a table of hit ratios; the same one on each machine: nothing is timed
//
// Ids are asked for by Zipf's law. Between them a listing job walks through ids that nobody asks
// for again. Each miss is put.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_format.h"
#include "service/cache/store.h"

namespace pcap_gateway::bench {
namespace {

constexpr int kIds = 100'000;
constexpr int kRequests = 1'000'000;
constexpr int kRequestsBetweenScans = 100'000;
constexpr int kIdsOfAScan = 50'000;
constexpr uint64_t kSeed = 1;

struct Request {
  int id;
  bool scan;
};

std::vector<int> ZipfIds(double s) {
  std::vector<double> upto(kIds);
  double sum = 0;
  for (int i = 0; i < kIds; ++i) upto[i] = sum += std::pow(i + 1, -s);
  std::mt19937_64 random(kSeed);
  std::vector<int> ids(kRequests);
  for (int& id : ids) {
    const double at = static_cast<double>(random() >> 11) * 0x1p-53 * sum;
    const auto place = std::upper_bound(upto.begin(), upto.end() - 1, at);
    id = static_cast<int>(place - upto.begin());
  }
  return ids;
}

std::vector<Request> Trace(double s, bool scans) {
  std::vector<Request> trace;
  int next_scanned = kIds;
  int asked = 0;
  for (const int id : ZipfIds(s)) {
    trace.push_back({id, false});
    if (!scans || ++asked % kRequestsBetweenScans != 0) continue;
    for (int i = 0; i < kIdsOfAScan; ++i) trace.push_back({next_scanned++, true});
  }
  return trace;
}

// All entries are alike, so that a rule is judged by what it keeps and not by its bookkeeping.
const OutcomePtr& AnyOutcome() {
  static const OutcomePtr outcome = [] {
    auto made = std::make_shared<Outcome>();
    made->message = std::string(250, 'x');
    made->cf_ray = Ray("8f2b3c4d5e6f7a8b-FRA");
    return made;
  }();
  return outcome;
}

class Cache {
 public:
  virtual ~Cache() = default;
  // Whether it was there. It is afterwards.
  virtual bool Get(int id) = 0;
};

class TheStore final : public Cache {
 public:
  explicit TheStore(int64_t bytes) : store_(bytes) {}

  bool Get(int id) override {
    Key key;
    key.resource = *Id::Parse(absl::StrFormat("%032x", id));
    if (store_.Find(key).has_value()) return true;
    store_.Put(key, {AnyOutcome(), absl::InfiniteFuture()}, standing_);
    return false;
  }

 private:
  Store store_;
  const StandingPtr standing_ =
      std::make_shared<Standing>(Partition{}, Id(), std::make_shared<LatestTime>());
};

class Lru final : public Cache {
 public:
  explicit Lru(int64_t bytes) : most_bytes_(bytes) {}

  bool Get(int id) override {
    if (const auto at = places_.find(id); at != places_.end()) {
      used_.splice(used_.begin(), used_, at->second);
      return true;
    }
    bytes_ += Store::CostOf(*AnyOutcome());
    used_.push_front(id);
    places_[id] = used_.begin();
    while (bytes_ > most_bytes_) {
      places_.erase(used_.back());
      used_.pop_back();
      bytes_ -= Store::CostOf(*AnyOutcome());
    }
    return false;
  }

 private:
  const int64_t most_bytes_;
  int64_t bytes_ = 0;
  std::list<int> used_;  // the latest first
  std::unordered_map<int, std::list<int>::iterator> places_;
};

// S3-FIFO (Yang et al., SOSP 2023): what is new stands in a queue of a tenth, and is let into the
// main one if it is asked for again there, or soon after it was evicted from there.
class S3Fifo final : public Cache {
 public:
  explicit S3Fifo(int64_t bytes) : most_(bytes / Store::CostOf(*AnyOutcome())) {}

  bool Get(int id) override {
    if (const auto at = asked_.find(id); at != asked_.end()) {
      at->second = std::min(at->second + 1, 3);
      return true;
    }
    while (asked_.size() >= most_) Evict();
    asked_[id] = 0;
    (ghosts_.erase(id) > 0 ? main_ : small_).push_back(id);
    return false;
  }

 private:
  void Evict() {
    if (small_.size() > most_ / 10 || main_.empty()) {
      const int id = TakeFirst(small_);
      if (asked_[id] > 0) {
        asked_[id] = 0;
        main_.push_back(id);
        return;
      }
      asked_.erase(id);
      ghosts_.insert(id);
      ghost_queue_.push_back(id);
      if (ghost_queue_.size() > most_) ghosts_.erase(TakeFirst(ghost_queue_));
    } else if (const int id = TakeFirst(main_); asked_[id]-- > 0) {
      main_.push_back(id);
    } else {
      asked_.erase(id);
    }
  }

  static int TakeFirst(std::list<int>& queue) {
    const int first = queue.front();
    queue.pop_front();
    return first;
  }

  const size_t most_;
  std::list<int> small_, main_, ghost_queue_;
  std::unordered_map<int, int> asked_;  // how often, up to 3, of what is in the first two
  std::unordered_set<int> ghosts_;      // of the third, but for those that came back
};

struct Hits {
  double zipf;  // of the requests that are no scan's, in percent
  double all;
};

Hits Play(const std::vector<Request>& trace, Cache& cache) {
  int hits = 0;
  int zipf_hits = 0;
  for (const Request& request : trace) {
    const bool hit = cache.Get(request.id);
    hits += hit;
    zipf_hits += hit && !request.scan;
  }
  return {100.0 * zipf_hits / kRequests, 100.0 * hits / trace.size()};
}

struct Row {
  Hits lru, store, s3_fifo;
};

Row Measure(const std::vector<Request>& trace, int64_t bytes) {
  Lru lru(bytes);
  TheStore store(bytes);
  S3Fifo s3_fifo(bytes);
  return {Play(trace, lru), Play(trace, store), Play(trace, s3_fifo)};
}

void Print() {
  std::printf("hit ratio, %%      Zipf requests           all requests            without scans\n");
  std::printf(
      "   s  room       LRU  SIEVE  S3-FIFO     LRU  SIEVE  S3-FIFO     LRU  SIEVE  S3-FIFO\n");
  for (const double s : {0.8, 1.0, 1.2}) {
    const std::vector<Request> with_scans = Trace(s, true);
    const std::vector<Request> without = Trace(s, false);
    for (const int percent : {1, 5, 20}) {
      const int64_t entries = kIds / 100 * percent;
      const int64_t bytes = entries * static_cast<int64_t>(Store::CostOf(*AnyOutcome()));
      const Row with = Measure(with_scans, bytes);
      const Row calm = Measure(without, bytes);
      std::printf(
          " %.1f  %3d %%    %5.1f  %5.1f    %5.1f   %5.1f  %5.1f    %5.1f   %5.1f  %5.1f    "
          "%5.1f\n",
          s, percent, with.lru.zipf, with.store.zipf, with.s3_fifo.zipf, with.lru.all,
          with.store.all, with.s3_fifo.all, calm.lru.zipf, calm.store.zipf, calm.s3_fifo.zipf);
    }
  }
  std::printf("%d requests for %d ids; every %d a scan of %d more; room for so many of the ids\n",
              kRequests, kIds, kRequestsBetweenScans, kIdsOfAScan);
}

}  // namespace
}  // namespace pcap_gateway::bench

int main() { pcap_gateway::bench::Print(); }
