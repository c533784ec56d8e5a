#include "service/cache/standing.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000);
constexpr absl::Duration kTick = absl::Nanoseconds(1);

Partition PartitionOf(const std::string& token) { return TestCredential(token)->partition(); }

TEST(Standing, EverythingCountsUntilSomethingIsDenied) {
  Standings standings;
  const StandingPtr standing = standings.Of(PartitionOf("a"), NumberedId(1));
  EXPECT_EQ(standing->since(), absl::InfinitePast());
  EXPECT_TRUE(standing->Counts(absl::InfinitePast()));
  standing->Deny(Denies::kNothing, kNoon);
  EXPECT_TRUE(standing->Counts(absl::InfinitePast()));
}

TEST(Standing, WhatWasAskedForBeforeADenialIsVoidAndWhatIsAskedForFromThenOnCounts) {
  for (const Denies denies : {Denies::kAccount, Denies::kEverything}) {
    Standings standings;
    const StandingPtr standing = standings.Of(PartitionOf("a"), NumberedId(1));
    standing->Deny(denies, kNoon);
    EXPECT_EQ(standing->since(), kNoon);
    EXPECT_FALSE(standing->Counts(kNoon - kTick));
    EXPECT_TRUE(standing->Counts(kNoon));
    // Words that come out of order make nothing count again.
    standing->Deny(denies, kNoon - absl::Hours(1));
    EXPECT_EQ(standing->since(), kNoon);
  }
}

TEST(Standing, AnAccountsDenialConcernsThatAccountAloneAndACredentialsAllAccounts) {
  Standings standings;
  const StandingPtr one = standings.Of(PartitionOf("a"), NumberedId(1));
  const StandingPtr two = standings.Of(PartitionOf("a"), NumberedId(2));
  const StandingPtr strangers = standings.Of(PartitionOf("b"), NumberedId(1));
  one->Deny(Denies::kAccount, kNoon);
  EXPECT_FALSE(one->Counts(kNoon - kTick));
  EXPECT_TRUE(two->Counts(kNoon - kTick));
  one->Deny(Denies::kEverything, kNoon);
  EXPECT_FALSE(two->Counts(kNoon - kTick));
  EXPECT_TRUE(strangers->Counts(kNoon - kTick));
  // Also those that are held from now on.
  EXPECT_FALSE(standings.Of(PartitionOf("a"), NumberedId(3))->Counts(kNoon - kTick));
}

TEST(Standings, OneThatIsHeldIsNeverForgottenHoweverManyStrangersCome) {
  Standings standings;
  const StandingPtr held = standings.Of(PartitionOf("a"), NumberedId(1));
  held->Deny(Denies::kEverything, kNoon);
  size_t most = 0;
  for (int i = 0; i < 20'000; ++i) {
    standings.Of(PartitionOf(absl::StrCat("stranger-", i)), NumberedId(1))
        ->Deny(Denies::kEverything, kNoon);
    most = std::max(most, standings.size());
  }
  EXPECT_EQ(standings.Of(PartitionOf("a"), NumberedId(1)), held);
  EXPECT_LE(most, 2048u);
}

TEST(Standings, ManyThatAreHeldAreAllThere) {
  Standings standings;
  std::vector<StandingPtr> held;
  for (int i = 0; i < 5000; ++i) held.push_back(standings.Of(PartitionOf("a"), NumberedId(i)));
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(standings.Of(PartitionOf("a"), NumberedId(i)), held[i]);
  }
  EXPECT_EQ(standings.size(), 5000u);
}

}  // namespace
}  // namespace pcap_gateway
