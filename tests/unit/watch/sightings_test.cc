#include "service/watch/sightings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Stage kMoving = Stage::kMoving;
constexpr Stage kFinal = Stage::kFinal;

absl::Time At(int second) { return absl::FromUnixSeconds(1'700'000'000 + second); }

class SightingsTest : public testing::Test {
 protected:
  void Learn(int id, int second, const std::string& text, Stage stage, bool listed = true) {
    sightings_.Learn(NumberedId(id), MakeOutcome(At(second), text, stage), listed);
  }
  std::string Known(int id) const {
    const Sighting* const sighting = sightings_.Find(NumberedId(id));
    return sighting == nullptr ? "nothing" : sighting->outcome->message;
  }
  std::vector<std::string> ReadBy(Reader& reader) {
    reader.Take(sightings_.Look());
    std::vector<std::string> read;
    while (const OutcomePtr next = reader.Next()) read.push_back(next->message);
    return read;
  }
  static Reader ReaderOf(const std::vector<int>& numbers) {
    auto ids = std::make_shared<std::vector<Id>>();
    for (const int number : numbers) ids->push_back(NumberedId(number));
    return Reader(std::move(ids));
  }

  Sightings sightings_;
};

TEST_F(SightingsTest, AReaderReadsEachCaptureFirstAndThenWhatChanges) {
  Reader reader(nullptr);
  Learn(1, 0, "one pending", kMoving);
  Learn(2, 0, "two pending", kMoving);
  EXPECT_THAT(ReadBy(reader), ElementsAre("one pending", "two pending"));
  EXPECT_THAT(ReadBy(reader), IsEmpty());
  Learn(1, 1, "one pending", kMoving);
  Learn(2, 1, "two running", kMoving);
  Learn(3, 1, "three", kMoving);
  EXPECT_THAT(ReadBy(reader), ElementsAre("two running", "three"));
}

TEST_F(SightingsTest, WhoReadsSlowlyReadsTheLatest) {
  Reader reader(nullptr);
  Learn(1, 0, "one pending", kMoving);
  Learn(2, 0, "two pending", kMoving);
  reader.Take(sightings_.Look());
  EXPECT_EQ(reader.Next()->message, "one pending");
  for (int second = 1; second < 100; ++second) {
    Learn(1, second, "one, second " + std::to_string(second), kMoving);
    Learn(2, second, "two, second " + std::to_string(second), kMoving);
    reader.Take(sightings_.Look());
  }
  EXPECT_THAT(ReadBy(reader), ElementsAre("one, second 99", "two, second 99"));
}

TEST_F(SightingsTest, AReaderOfSomeReadsNoOthersListedOrNot) {
  Reader reader = ReaderOf({1, 3});
  Learn(1, 0, "one", kMoving);
  Learn(2, 0, "two", kMoving);
  Learn(3, 0, "three", kMoving, /*listed=*/false);
  EXPECT_THAT(ReadBy(reader), ElementsAre("one", "three"));
  // A list has it now: nothing is new about it.
  Learn(3, 1, "three", kMoving);
  EXPECT_THAT(ReadBy(reader), IsEmpty());
}

TEST_F(SightingsTest, AReaderOfAllReadsWhatAListHasHad) {
  Reader reader(nullptr);
  Learn(1, 0, "one", kMoving, /*listed=*/false);
  Learn(2, 0, "two", kMoving);
  EXPECT_THAT(ReadBy(reader), ElementsAre("two"));
  sightings_.BeginList();
  Learn(1, 1, "one", kMoving);
  EXPECT_THAT(ReadBy(reader), ElementsAre("one"));
  // It has left the list, and goes on.
  Learn(2, 2, "two done", kFinal, /*listed=*/false);
  EXPECT_THAT(ReadBy(reader), ElementsAre("two done"));
}

TEST_F(SightingsTest, NothingGoesBack) {
  Learn(1, 5, "running", kMoving);
  Learn(1, 4, "pending", kMoving);
  EXPECT_EQ(Known(1), "running");
  // It says so later, so it was true before.
  Learn(1, 3, "success", kFinal);
  EXPECT_EQ(Known(1), "success");
  Learn(1, 9, "running", kMoving);
  EXPECT_EQ(Known(1), "success");
  Learn(1, 10, "success, and packets", kFinal);
  EXPECT_EQ(Known(1), "success, and packets");
}

TEST_F(SightingsTest, ChangesSayWhatEnded) {
  Learn(1, 0, "one", kMoving);
  Learn(2, 0, "two", kFinal);
  std::vector<Sightings::Change> changes = sightings_.TakeChanges();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_FALSE(changes[0].ended);
  EXPECT_TRUE(changes[1].ended);
  EXPECT_THAT(sightings_.TakeChanges(), IsEmpty());
  Learn(1, 1, "one", kMoving);
  Learn(2, 1, "two", kFinal);
  EXPECT_THAT(sightings_.TakeChanges(), IsEmpty());
  Learn(1, 2, "one done", kFinal);
  Learn(2, 2, "two done", kFinal);
  changes = sightings_.TakeChanges();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_TRUE(changes[0].ended);
  EXPECT_FALSE(changes[1].ended);
}

TEST_F(SightingsTest, WhatNobodyNamesAndNoListHasIsForgottenInTime) {
  const int past = static_cast<int>(Sightings::kMostPast);
  for (int id = 1; id <= past + 10; ++id) Learn(id, 0, "x", kFinal);
  sightings_.BeginList();
  Learn(5, 1, "x", kFinal);
  sightings_.Trim([](const Id& id) { return id == NumberedId(1); });
  EXPECT_EQ(sightings_.all().size(), Sightings::kMostPast + 2);
  EXPECT_EQ(Known(1), "x");
  EXPECT_EQ(Known(5), "x");
  EXPECT_EQ(Known(2), "nothing");
  EXPECT_EQ(Known(past + 10), "x");
  EXPECT_EQ(sightings_.Look()->size(), sightings_.all().size());
}

TEST_F(SightingsTest, WhatMovesOutsideTheListIsForgottenWhenAskedTo) {
  Learn(1, 0, "listed", kMoving);
  Learn(2, 0, "moving", kMoving, /*listed=*/false);
  Learn(3, 0, "final", kFinal, /*listed=*/false);
  sightings_.ForgetPast();
  EXPECT_EQ(Known(1), "listed");
  EXPECT_EQ(Known(2), "nothing");
  EXPECT_EQ(Known(3), "final");
}

}  // namespace
}  // namespace pcap_gateway
