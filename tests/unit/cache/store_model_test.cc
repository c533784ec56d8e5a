// The store against a model of it: SIEVE as its paper has it, on a list and a map, with no eye to
// speed. One shard, so that each eviction can be foretold.
//
//   STORE_TEST_SEED=123 cache_test --gtest_filter='StoreModel.*'      what failed with that seed
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "service/cache/store.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

constexpr int kOperations = 1'000'000;
constexpr int kKeys = 300;
constexpr uint64_t kBound = 64 << 10;
const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000);

class Model {
 public:
  std::optional<Kept> Find(int key) {
    Entry* const entry = Look(key);
    if (entry == nullptr) return std::nullopt;
    entry->marked = true;
    return entry->kept;
  }

  std::optional<Kept> Peek(int key) const {
    const Entry* const entry = Look(key);
    if (entry == nullptr) return std::nullopt;
    return entry->kept;
  }

  bool ClaimRefresh(int key, absl::Time now) {
    Entry* const entry = Look(key);
    if (entry == nullptr || entry->kept.refresh_at > now) return false;
    const absl::Duration left = entry->kept.fresh_until - now;
    entry->kept.refresh_at = now + std::max(absl::Seconds(1), left / 8);
    return true;
  }

  bool Put(int key, Kept kept) {
    const size_t cost = Store::CostOf(*kept.outcome);
    if (cost > kBound) {
      if (const auto at = places_.find(key); at != places_.end()) Remove(at->second);
      return false;
    }
    if (const auto at = places_.find(key); at != places_.end()) {
      Entry& entry = *at->second;
      stats_.bytes += cost;
      stats_.bytes -= entry.cost;
      entry.cost = cost;
      entry.kept = std::move(kept);
      Evict(key);
    } else {
      stats_.bytes += cost;
      Evict(key);
      places_[key] = queue_.insert(queue_.end(), Entry{key, std::move(kept), cost});
      ++stats_.entries;
    }
    return true;
  }

  // What was asked for before is void.
  void Deny(absl::Time now) { since_ = std::max(since_, now); }

  const StoreStats& stats() const { return stats_; }

 private:
  struct Entry {
    int key;
    Kept kept;
    size_t cost;
    bool marked = false;
  };

  // Null: it is not there, or void.
  Entry* Look(int key) const {
    const auto at = places_.find(key);
    if (at == places_.end() || at->second->kept.outcome->as_of < since_) return nullptr;
    return &*at->second;
  }

  void Evict(int spared) {
    while (stats_.bytes > kBound) {
      if (hand_ == queue_.end()) hand_ = queue_.begin();
      if (hand_->key == spared) {
        ++hand_;
      } else if (hand_->marked) {
        hand_->marked = false;
        ++hand_;
      } else {
        Remove(hand_);
        ++stats_.evictions;
      }
    }
  }

  void Remove(std::list<Entry>::iterator entry) {
    stats_.bytes -= entry->cost;
    --stats_.entries;
    places_.erase(entry->key);
    const bool under_hand = hand_ == entry;
    const auto newer = queue_.erase(entry);
    if (under_hand) hand_ = newer;
  }

  std::list<Entry> queue_;  // the oldest first
  std::map<int, std::list<Entry>::iterator> places_;
  std::list<Entry>::iterator hand_ = queue_.end();
  StoreStats stats_;
  absl::Time since_ = absl::InfinitePast();
};

unsigned Seed() {
  const char* given = std::getenv("STORE_TEST_SEED");
  return given != nullptr ? std::strtoul(given, nullptr, 10) : std::random_device()();
}

// Does the same to a store and to its model, and compares all that can be seen of them.
class Player {
 public:
  explicit Player(unsigned seed) : random_(seed) {
    for (int i = 0; i < kKeys; ++i) keys_.push_back(QueryFor(i).key());
  }

  void Step() {
    MoveTime();
    // Two thirds of the keys are asked for rarely, so that marked and unmarked ones mix.
    const int key = OneIn(3) ? Below(kKeys) : Below(kKeys / 3);
    const int what = Below(100);
    if (what < 55) {
      CompareFind(key);
    } else if (what < 65) {
      Compare(store_.Peek(keys_[key]), model_.Peek(key));
    } else if (what < 95) {
      ComparePut(key);
    } else if (what == 99 && OneIn(20)) {
      const Denies denies = OneIn(2) ? Denies::kAccount : Denies::kEverything;
      standing_->Deny(denies, now_);
      model_.Deny(now_);
    }
    const StoreStats stats = store_.Stats();
    ASSERT_EQ(stats.entries, model_.stats().entries);
    ASSERT_EQ(stats.bytes, model_.stats().bytes);
    ASSERT_EQ(stats.evictions, model_.stats().evictions);
  }

  // That it was not all about nothing.
  void ExpectAllHappened() const {
    EXPECT_GT(model_.stats().evictions, kOperations / 50u);
    EXPECT_GT(found_, kOperations / 20);
    EXPECT_GT(due_, kOperations / 100);
    EXPECT_GT(too_large_, kOperations / 2000);
  }

 private:
  int Below(int end) { return static_cast<int>(random_() % end); }
  bool OneIn(int n) { return Below(n) == 0; }

  // In microseconds, so that an eighth of it is whole nanoseconds.
  absl::Duration UpTo(absl::Duration most) {
    return absl::Microseconds(random_() % absl::ToInt64Microseconds(most));
  }

  void MoveTime() {
    if (OneIn(20)) {
      now_ -= UpTo(absl::Seconds(30));
    } else {
      now_ += UpTo(absl::Seconds(2));
    }
    if (OneIn(10'000)) now_ += UpTo(absl::Hours(3));
  }

  absl::Time SomeTime(absl::Duration most) {
    if (OneIn(10)) return absl::InfiniteFuture();
    if (OneIn(50)) return absl::InfinitePast();
    return now_ - absl::Seconds(5) + UpTo(most);
  }

  OutcomePtr SomeOutcome() {
    size_t size = Below(600);
    if (OneIn(100)) size = Below(kBound);
    if (OneIn(200)) size = kBound;
    return MakeOutcome(now_, std::string(size, 'x'), Stage::kFinal);
  }

  void CompareFind(int key) {
    const std::optional<Kept> found = store_.Find(keys_[key]);
    Compare(found, model_.Find(key));
    if (found.has_value()) ++found_;
    if (OneIn(2)) return;
    const bool due = store_.ClaimRefresh(keys_[key], now_);
    ASSERT_EQ(due, model_.ClaimRefresh(key, now_));
    if (due) ++due_;
  }

  void ComparePut(int key) {
    const Kept kept{SomeOutcome(), SomeTime(absl::Hours(2)), SomeTime(absl::Minutes(2))};
    const bool put = store_.Put(keys_[key], kept, standing_);
    ASSERT_EQ(put, model_.Put(key, kept));
    if (!put) ++too_large_;
  }

  static void Compare(const std::optional<Kept>& kept, const std::optional<Kept>& expected) {
    ASSERT_EQ(kept.has_value(), expected.has_value());
    if (!kept.has_value()) return;
    ASSERT_EQ(kept->outcome, expected->outcome);
    ASSERT_EQ(kept->fresh_until, expected->fresh_until);
    ASSERT_EQ(kept->refresh_at, expected->refresh_at);
  }

  std::mt19937 random_;
  std::vector<Key> keys_;
  Store store_{kBound};
  const StandingPtr standing_ = std::make_shared<Standing>(
      QueryFor(0).key().partition, QueryFor(0).key().account, std::make_shared<LatestTime>());
  Model model_;
  absl::Time now_ = kNoon;
  int found_ = 0;
  int due_ = 0;
  int too_large_ = 0;
};

TEST(StoreModel, DoesWhatItsModelDoesOverAMillionRandomOperations) {
  const unsigned seed = Seed();
  SCOPED_TRACE("STORE_TEST_SEED=" + std::to_string(seed));
  Player player(seed);
  for (int i = 0; i < kOperations; ++i) {
    player.Step();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "at operation " << i;
  }
  player.ExpectAllHappened();
}

}  // namespace
}  // namespace pcap_gateway
