#include "service/cache/store.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000);

Key KeyOf(int number) { return QueryFor(number).key(); }

// All those keys'.
const StandingPtr& OfTheirs() {
  static const auto standing = std::make_shared<Standing>(KeyOf(0).partition, KeyOf(0).account,
                                                          std::make_shared<LatestTime>());
  return standing;
}

Kept KeptWith(std::string message) {
  return {MakeOutcome(kNoon, std::move(message), Stage::kFinal), kNoon + absl::Hours(1)};
}

std::string MessageAt(Store& store, int number) {
  const std::optional<Kept> kept = store.Peek(KeyOf(number));
  return kept.has_value() ? kept->outcome->message : "";
}

TEST(Store, GivesBackWhatWasPut) {
  Store store(1 << 20);
  EXPECT_TRUE(store.Put(KeyOf(1), KeptWith("one"), OfTheirs()));
  EXPECT_EQ(MessageAt(store, 1), "one");
  EXPECT_EQ(store.Peek(KeyOf(1))->fresh_until, kNoon + absl::Hours(1));
  EXPECT_FALSE(store.Find(KeyOf(2)).has_value());
}

TEST(Store, PutReplaces) {
  Store store(1 << 20);
  store.Put(KeyOf(1), KeptWith("one"), OfTheirs());
  store.Put(KeyOf(1), KeptWith("another"), OfTheirs());
  EXPECT_EQ(MessageAt(store, 1), "another");
  EXPECT_EQ(store.Stats().entries, 1u);
}

TEST(Store, KeysThatDifferInAnyPartAreDifferent) {
  Store store(1 << 20);
  const Key key = KeyOf(1);
  store.Put(key, KeptWith("mine"), OfTheirs());
  Key other_account = key;
  other_account.account = NumberedId(2);
  Key other_partition = key;
  other_partition.partition[15] ^= 1;
  Key other_endpoint = key;
  other_endpoint.endpoint = 201;
  EXPECT_FALSE(store.Find(other_account).has_value());
  EXPECT_FALSE(store.Find(other_partition).has_value());
  EXPECT_FALSE(store.Find(other_endpoint).has_value());
}

TEST(Store, NeverHoldsMoreThanItsBound) {
  constexpr int64_t kBound = 256 << 10;
  Store store(kBound);
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    store.Put(KeyOf(random() % 5000), KeptWith(std::string(random() % 2000, 'x')), OfTheirs());
    ASSERT_LE(store.Stats().bytes, static_cast<uint64_t>(kBound));
  }
  EXPECT_GT(store.Stats().evictions, 0u);
  EXPECT_GT(store.Stats().bytes, static_cast<uint64_t>(kBound) / 2);
}

TEST(Store, AnEntryLargerThanTheStoreIsNotKeptAndNeitherIsWhatItWouldReplace) {
  Store store(4 << 10);
  store.Put(KeyOf(1), KeptWith("small"), OfTheirs());
  EXPECT_FALSE(store.Put(KeyOf(1), KeptWith(std::string(64 << 10, 'x')), OfTheirs()));
  EXPECT_FALSE(store.Find(KeyOf(1)).has_value());
  EXPECT_EQ(store.Stats().entries, 0u);
  EXPECT_EQ(store.Stats().bytes, 0u);
}

TEST(Store, GrowingAnEntryMakesRoomAmongTheOthers) {
  constexpr int64_t kBound = 64 << 10;
  Store store(kBound);
  for (int i = 0; i < 40; ++i) store.Put(KeyOf(i), KeptWith(std::string(1000, 'x')), OfTheirs());
  EXPECT_TRUE(store.Put(KeyOf(39), KeptWith(std::string(50'000, 'y')), OfTheirs()));
  EXPECT_EQ(MessageAt(store, 39).size(), 50'000u);
  EXPECT_LE(store.Stats().bytes, static_cast<uint64_t>(kBound));
}

TEST(Store, AScanDoesNotPushOutWhatIsAskedAgain) {
  Store store(256 << 10);
  for (int i = 0; i < 20; ++i) store.Put(KeyOf(i), KeptWith(std::string(500, 'x')), OfTheirs());
  for (int scanned = 1000; scanned < 5000; ++scanned) {
    for (int i = 0; i < 20; ++i) store.Find(KeyOf(i));
    store.Put(KeyOf(scanned), KeptWith(std::string(500, 'x')), OfTheirs());
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(store.Find(KeyOf(i)).has_value()) << i;
}

// An entry of known cost, so that the test can say how many the store has room for.
Kept KeptOfOneSize() { return KeptWith(std::string(500, 'x')); }

int64_t RoomFor(int entries) {
  return entries * static_cast<int64_t>(Store::CostOf(*KeptOfOneSize().outcome));
}

TEST(Store, EvictsTheOldestThatWasNotAskedFor) {
  Store store(RoomFor(3));
  for (int i = 1; i <= 3; ++i) store.Put(KeyOf(i), KeptOfOneSize(), OfTheirs());
  store.Find(KeyOf(1));
  store.Put(KeyOf(4), KeptOfOneSize(), OfTheirs());
  EXPECT_TRUE(store.Peek(KeyOf(1)).has_value());
  EXPECT_FALSE(store.Peek(KeyOf(2)).has_value());
  EXPECT_EQ(store.Stats().evictions, 1u);
}

TEST(Store, APeekDoesNotSaveFromEviction) {
  Store store(RoomFor(3));
  for (int i = 1; i <= 3; ++i) store.Put(KeyOf(i), KeptOfOneSize(), OfTheirs());
  EXPECT_TRUE(store.Peek(KeyOf(1)).has_value());
  store.Put(KeyOf(4), KeptOfOneSize(), OfTheirs());
  EXPECT_FALSE(store.Peek(KeyOf(1)).has_value());
  EXPECT_TRUE(store.Peek(KeyOf(2)).has_value());
}

TEST(Store, WhatItsStandingMakesVoidIsNotFoundAndMakesRoomLikeAnyOther) {
  Store store(1 << 20);
  const Partition partition = KeyOf(1).partition;
  const auto credential = std::make_shared<LatestTime>();
  const auto here = std::make_shared<Standing>(partition, NumberedId(1), credential);
  const auto there = std::make_shared<Standing>(partition, NumberedId(2), credential);
  Key key_there = KeyOf(1);
  key_there.account = NumberedId(2);
  EXPECT_TRUE(store.Put(KeyOf(1), KeptWith("here"), here));
  EXPECT_TRUE(store.Put(key_there, KeptWith("there"), there));

  here->Deny(Denies::kAccount, kNoon + absl::Nanoseconds(1));
  EXPECT_FALSE(store.Peek(KeyOf(1)).has_value());
  EXPECT_FALSE(store.Find(KeyOf(1)).has_value());
  EXPECT_FALSE(store.ClaimRefresh(KeyOf(1), absl::InfiniteFuture()));
  EXPECT_TRUE(store.Find(key_there).has_value());
  there->Deny(Denies::kEverything, kNoon + absl::Nanoseconds(1));
  EXPECT_FALSE(store.Find(key_there).has_value());

  Kept newer = KeptWith("newer");
  newer.outcome = MakeOutcome(kNoon + absl::Nanoseconds(1), "newer", Stage::kFinal);
  EXPECT_TRUE(store.Put(KeyOf(1), newer, here));
  EXPECT_EQ(MessageAt(store, 1), "newer");
  EXPECT_EQ(store.Stats().entries, 2u);
}

TEST(Store, TooSmallForOneEntryItKeepsNothing) {
  for (const int64_t bytes : {int64_t{1}, int64_t{100}, RoomFor(1) - 1}) {
    SCOPED_TRACE(bytes);
    Store store(bytes);
    for (int i = 0; i < 100; ++i)
      EXPECT_FALSE(store.Put(KeyOf(i % 3), KeptOfOneSize(), OfTheirs()));
    EXPECT_FALSE(store.Find(KeyOf(1)).has_value());
    EXPECT_EQ(store.Stats().entries, 0u);
    EXPECT_EQ(store.Stats().bytes, 0u);
    EXPECT_EQ(store.Stats().evictions, 0u);
  }
  EXPECT_TRUE(Store(RoomFor(1)).Put(KeyOf(1), KeptOfOneSize(), OfTheirs()));
}

// 4 MiB is what the endpoints let through. Any key, as shards differ.
TEST(Store, InManyShardsThereIsRoomForTheLargestMessage) {
  for (const int64_t bytes : {8 << 20, 16 << 20, 64 << 20, 100 << 20}) {
    SCOPED_TRACE(bytes);
    Store store(bytes);
    const Kept kept = KeptWith(std::string(4 << 20, 'x'));
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(store.Put(KeyOf(i), kept, OfTheirs()));
  }
}

TEST(Store, ShardsFillAlike) {
  constexpr int64_t kBound = 32 << 20;
  Store store(kBound);
  const int entries = 2 * kBound / RoomFor(1);
  for (int i = 0; i < entries; ++i) store.Put(KeyOf(i), KeptOfOneSize(), OfTheirs());
  EXPECT_LE(store.Stats().bytes, static_cast<uint64_t>(kBound));
  EXPECT_GT(store.Stats().bytes, static_cast<uint64_t>(kBound) / 100 * 99);
}

TEST(Store, TimesAreKeptInWholeNanosecondsRoundedDown) {
  const absl::Duration some = absl::Nanoseconds(1) / 4;
  const auto kept_as = [](absl::Time time) {
    Store store(1 << 20);
    store.Put(KeyOf(1), {KeptWith("").outcome, time, time}, OfTheirs());
    const Kept kept = *store.Peek(KeyOf(1));
    EXPECT_EQ(kept.refresh_at, kept.fresh_until);
    return kept.fresh_until;
  };
  EXPECT_EQ(kept_as(kNoon), kNoon);
  EXPECT_EQ(kept_as(kNoon + some), kNoon);
  EXPECT_EQ(kept_as(absl::UnixEpoch() - some), absl::UnixEpoch() - absl::Nanoseconds(1));
  EXPECT_EQ(kept_as(absl::FromUnixSeconds(10'000'000'000)), absl::InfiniteFuture());
  EXPECT_EQ(kept_as(absl::FromUnixSeconds(-10'000'000'000)), absl::InfinitePast());
  EXPECT_EQ(kept_as(absl::InfiniteFuture()), absl::InfiniteFuture());
  EXPECT_EQ(kept_as(absl::InfinitePast()), absl::InfinitePast());
}

class StoreRefresh : public testing::Test {
 protected:
  void Put(absl::Time fresh_until, absl::Time refresh_at) {
    store_.Put(KeyOf(1), {KeptWith("").outcome, fresh_until, refresh_at}, OfTheirs());
  }
  bool DueAt(absl::Time now) { return store_.ClaimRefresh(KeyOf(1), now); }

  Store store_{1 << 20};
};

TEST_F(StoreRefresh, IsDueToOneCallerFromItsTimeOn) {
  Put(kNoon + absl::Hours(1), kNoon + absl::Minutes(50));
  EXPECT_FALSE(DueAt(kNoon + absl::Minutes(50) - absl::Nanoseconds(1)));
  EXPECT_TRUE(DueAt(kNoon + absl::Minutes(50)));
  EXPECT_FALSE(DueAt(kNoon + absl::Minutes(50)));
}

TEST_F(StoreRefresh, IsDueAgainAfterAnEighthOfTheFreshnessLeft) {
  Put(kNoon + absl::Seconds(80), kNoon);
  EXPECT_TRUE(DueAt(kNoon));
  EXPECT_FALSE(DueAt(kNoon + absl::Seconds(10) - absl::Nanoseconds(1)));
  EXPECT_TRUE(DueAt(kNoon + absl::Seconds(10)));
  EXPECT_FALSE(DueAt(kNoon + absl::Seconds(10) + absl::Seconds(70) / 8 - absl::Nanoseconds(1)));
  EXPECT_TRUE(DueAt(kNoon + absl::Seconds(10) + absl::Seconds(70) / 8));
}

TEST_F(StoreRefresh, IsDueNoMoreThanOnceASecond) {
  for (const absl::Duration left : {absl::Seconds(7), absl::ZeroDuration(), -absl::Hours(1)}) {
    SCOPED_TRACE(left);
    Put(kNoon + left, kNoon);
    EXPECT_TRUE(DueAt(kNoon));
    EXPECT_FALSE(DueAt(kNoon + absl::Seconds(1) - absl::Nanoseconds(1)));
    EXPECT_TRUE(DueAt(kNoon + absl::Seconds(1)));
  }
}

TEST_F(StoreRefresh, OfAnEntryThatIsFreshForEverIsDueOnce) {
  Put(absl::InfiniteFuture(), kNoon);
  EXPECT_TRUE(DueAt(kNoon));
  EXPECT_FALSE(DueAt(kNoon + absl::Hours(1'000'000)));
}

TEST_F(StoreRefresh, IsNeverDueWhereItsTimeIsInfinitelyFar) {
  Put(kNoon + absl::Seconds(1), absl::InfiniteFuture());
  EXPECT_FALSE(DueAt(kNoon + absl::Hours(1'000'000)));
  EXPECT_FALSE(DueAt(absl::InfiniteFuture()));
}

TEST_F(StoreRefresh, IsDueAtOnceWhereItsTimeIsInfinitelyLongAgo) {
  Put(absl::InfinitePast(), absl::InfinitePast());
  EXPECT_TRUE(DueAt(kNoon));
  EXPECT_FALSE(DueAt(kNoon));
}

TEST_F(StoreRefresh, StaysClaimedWhenTheClockGoesBack) {
  Put(kNoon + absl::Seconds(80), kNoon);
  EXPECT_TRUE(DueAt(kNoon));
  EXPECT_FALSE(DueAt(kNoon - absl::Hours(1)));
  EXPECT_FALSE(DueAt(kNoon));
}

TEST_F(StoreRefresh, WhoLooksSeesTheClaimAndMakesNone) {
  Put(kNoon + absl::Seconds(80), kNoon);
  EXPECT_EQ(store_.Peek(KeyOf(1))->refresh_at, kNoon);
  EXPECT_EQ(store_.Find(KeyOf(1))->refresh_at, kNoon);
  EXPECT_TRUE(DueAt(kNoon));
  EXPECT_EQ(store_.Peek(KeyOf(1))->refresh_at, kNoon + absl::Seconds(10));
  EXPECT_EQ(store_.Find(KeyOf(1))->refresh_at, kNoon + absl::Seconds(10));
}

TEST_F(StoreRefresh, OfNothingIsNeverDue) { EXPECT_FALSE(DueAt(kNoon)); }

TEST_F(StoreRefresh, APutEndsTheClaim) {
  Put(kNoon + absl::Seconds(80), kNoon);
  EXPECT_TRUE(DueAt(kNoon));
  Put(kNoon + absl::Seconds(80), kNoon);
  EXPECT_TRUE(DueAt(kNoon));
}

// Two equal hashes must not make two keys one.
TEST(Store, KeysAreEqualInEachByteOrNotAtAll) {
  Key key = KeyOf(1);
  const Key same = key;
  EXPECT_TRUE(key == same);
  for (uint8_t& byte : key.partition) {
    byte ^= 1;
    EXPECT_FALSE(key == same);
    byte ^= 1;
  }
  for (Id* id : {&key.account, &key.resource}) {
    const Id before = *id;
    for (size_t digit = 0; digit < Id::kDigits; ++digit) {
      std::string text = before.ToString();
      text[digit] = text[digit] == 'f' ? 'e' : 'f';
      *id = *Id::Parse(text);
      EXPECT_FALSE(key == same) << text;
    }
    *id = before;
  }
  key.endpoint ^= 1;
  EXPECT_FALSE(key == same);
}

// Replaced by another malloc (a sanitizer's, a preloaded one) glibc's does not know what is in use.
size_t InUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

bool MallocIsGlibcs() {
  const size_t before = InUse();
  const std::vector<char> some(64 << 10);
  return InUse() >= before + some.size();
}

// What a capture's answer is, and every tenth what a missing one's is.
Kept TypicalKept(int number) {
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = kNoon;
  outcome->cf_ray = Ray("8f2b3c4d5e6f7a8b-FRA");
  if (number % 10 != 0) {
    outcome->message = std::string(230 + number % 40, 'x');
  } else {
    Error error(absl::StatusCode::kNotFound, Reason::kPcapNotFound,
                "Cloudflare knows no such capture in this account");
    error.metadata = {{"httpStatus", "404"}, {"cloudflareErrorCode", "1000"}};
    outcome->error = std::make_unique<const Error>(std::move(error));
  }
  return {std::move(outcome), kNoon + absl::Hours(1)};
}

TEST(Store, CountsWithin15PercentOfTheMemoryItTakes) {
  if (!MallocIsGlibcs()) GTEST_SKIP() << "needs glibc's malloc";
  constexpr int kEntries = 100'000;
  const size_t before = InUse();
  Store store(256 << 20);
  for (int i = 0; i < kEntries; ++i) store.Put(KeyOf(i), TypicalKept(i), OfTheirs());
  const double grown = static_cast<double>(InUse() - before);
  ASSERT_EQ(store.Stats().entries, static_cast<uint64_t>(kEntries));
  const double counted = static_cast<double>(store.Stats().bytes);
  RecordProperty("bytes_an_entry", static_cast<int>(grown / kEntries));
  RecordProperty("counted_an_entry", static_cast<int>(counted / kEntries));
  EXPECT_GT(counted, 0.85 * grown);
  EXPECT_LT(counted, 1.15 * grown);
}

// For ThreadSanitizer; and whatever a thread finds was put under that key.
TEST(StoreThreads, UseOneStoreTogether) {
  constexpr int kKeys = 50;
  Store store(RoomFor(kKeys / 2));
  std::vector<Key> keys;
  for (int i = 0; i < kKeys; ++i) keys.push_back(KeyOf(i));
  std::atomic<int> due = 0;
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 50'000; ++i) {
      const int key = static_cast<int>(random() % kKeys);
      const unsigned what = random() % 100;
      if (what < 60) {
        const std::optional<Kept> found = store.Find(keys[key]);
        if (!found.has_value()) continue;
        EXPECT_EQ(found->outcome->http_status, key);
        if (found->refresh_at <= kNoon && store.ClaimRefresh(keys[key], kNoon)) ++due;
      } else if (what < 90) {
        auto outcome = std::make_shared<Outcome>();
        outcome->message = std::string(random() % 1000, 'x');
        outcome->http_status = key;
        store.Put(keys[key], {std::move(outcome), kNoon + absl::Hours(1), kNoon}, OfTheirs());
      } else {
        EXPECT_LE(store.Stats().bytes, static_cast<uint64_t>(RoomFor(kKeys / 2)));
      }
    }
  };
  std::thread first(work, 1);
  std::thread second(work, 2);
  first.join();
  second.join();
  EXPECT_GT(due.load(), 100);
}

TEST(StoreThreads, OneOfThemIsToldThatARefreshIsDue) {
  Store store(1 << 20);
  for (int round = 0; round < 200; ++round) {
    store.Put(KeyOf(1), {KeptWith("").outcome, kNoon + absl::Hours(1), kNoon}, OfTheirs());
    std::atomic<int> due = 0;
    const auto ask = [&] {
      for (int i = 0; i < 10; ++i) due += store.ClaimRefresh(KeyOf(1), kNoon) ? 1 : 0;
    };
    std::thread first(ask);
    std::thread second(ask);
    first.join();
    second.join();
    ASSERT_EQ(due.load(), 1);
  }
}

}  // namespace
}  // namespace pcap_gateway
