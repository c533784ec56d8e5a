#include "service/cache/store.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000);

Key KeyOf(int number) { return QueryFor(number).key(); }

Kept KeptWith(std::string message) {
  return {MakeOutcome(kNoon, std::move(message), Stage::kFinal), kNoon + absl::Hours(1)};
}

std::string MessageAt(Store& store, int number) {
  const std::optional<Kept> kept = store.Peek(KeyOf(number));
  return kept.has_value() ? kept->outcome->message : "";
}

TEST(Store, GivesBackWhatWasPut) {
  Store store(1 << 20);
  EXPECT_TRUE(store.Put(KeyOf(1), KeptWith("one")));
  EXPECT_EQ(MessageAt(store, 1), "one");
  EXPECT_EQ(store.Peek(KeyOf(1))->fresh_until, kNoon + absl::Hours(1));
  EXPECT_FALSE(store.Find(KeyOf(2), absl::UnixEpoch()).has_value());
}

TEST(Store, PutReplaces) {
  Store store(1 << 20);
  store.Put(KeyOf(1), KeptWith("one"));
  store.Put(KeyOf(1), KeptWith("another"));
  EXPECT_EQ(MessageAt(store, 1), "another");
  EXPECT_EQ(store.Stats().entries, 1u);
}

TEST(Store, KeysThatDifferInAnyPartAreDifferent) {
  Store store(1 << 20);
  const Key key = KeyOf(1);
  store.Put(key, KeptWith("mine"));
  Key other_account = key;
  other_account.account = NumberedId(2);
  Key other_partition = key;
  other_partition.partition[15] ^= 1;
  Key other_endpoint = key;
  other_endpoint.endpoint = 201;
  EXPECT_FALSE(store.Find(other_account, absl::UnixEpoch()).has_value());
  EXPECT_FALSE(store.Find(other_partition, absl::UnixEpoch()).has_value());
  EXPECT_FALSE(store.Find(other_endpoint, absl::UnixEpoch()).has_value());
}

TEST(Store, NeverHoldsMoreThanItsBound) {
  constexpr int64_t kBound = 256 << 10;
  Store store(kBound);
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    store.Put(KeyOf(random() % 5000), KeptWith(std::string(random() % 2000, 'x')));
    ASSERT_LE(store.Stats().bytes, static_cast<uint64_t>(kBound));
  }
  EXPECT_GT(store.Stats().evictions, 0u);
  EXPECT_GT(store.Stats().bytes, static_cast<uint64_t>(kBound) / 2);
}

TEST(Store, AnEntryLargerThanTheStoreIsNotKeptAndNeitherIsWhatItWouldReplace) {
  Store store(4 << 10);
  store.Put(KeyOf(1), KeptWith("small"));
  EXPECT_FALSE(store.Put(KeyOf(1), KeptWith(std::string(64 << 10, 'x'))));
  EXPECT_FALSE(store.Find(KeyOf(1), absl::UnixEpoch()).has_value());
  EXPECT_EQ(store.Stats().entries, 0u);
  EXPECT_EQ(store.Stats().bytes, 0u);
}

TEST(Store, GrowingAnEntryMakesRoomAmongTheOthers) {
  constexpr int64_t kBound = 64 << 10;
  Store store(kBound);
  for (int i = 0; i < 40; ++i) store.Put(KeyOf(i), KeptWith(std::string(1000, 'x')));
  EXPECT_TRUE(store.Put(KeyOf(39), KeptWith(std::string(50'000, 'y'))));
  EXPECT_EQ(MessageAt(store, 39).size(), 50'000u);
  EXPECT_LE(store.Stats().bytes, static_cast<uint64_t>(kBound));
}

TEST(Store, AScanDoesNotPushOutWhatIsAskedAgain) {
  Store store(256 << 10);
  for (int i = 0; i < 20; ++i) store.Put(KeyOf(i), KeptWith(std::string(500, 'x')));
  for (int scanned = 1000; scanned < 5000; ++scanned) {
    for (int i = 0; i < 20; ++i) store.Find(KeyOf(i), absl::UnixEpoch());
    store.Put(KeyOf(scanned), KeptWith(std::string(500, 'x')));
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(store.Find(KeyOf(i), absl::UnixEpoch()).has_value()) << i;
}

// Whatever is found must be what was put last under that key; only eviction may take it away.
TEST(Store, AgreesWithAMapOverRandomOperations) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Store store(128 << 10);
  std::map<int, std::string> model;
  int found = 0;
  for (int i = 0; i < 200'000; ++i) {
    const int number = random() % 400;
    if (random() % 4 == 0) {
      const std::string message = std::to_string(random()) + std::string(random() % 600, 'x');
      ASSERT_TRUE(store.Put(KeyOf(number), KeptWith(message)));
      model[number] = message;
      ASSERT_EQ(MessageAt(store, number), message);
    } else if (const std::string message = MessageAt(store, number); !message.empty()) {
      ASSERT_EQ(message, model[number]);
      ++found;
    }
  }
  EXPECT_GT(found, 10'000);
}

}  // namespace
}  // namespace pcap_gateway
