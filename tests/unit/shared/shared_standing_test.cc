#include "service/shared/shared_standing.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000) + absl::Microseconds(123'456);

TEST(SharedStanding, GivesBackWhatWasSealed) {
  const auto credential = TestCredential();
  const std::string name = StandingName(*credential);
  for (const bool denied : {true, false}) {
    for (const absl::Time since : {kNoon, absl::UnixEpoch()}) {
      const std::string value = SealedStanding({since, denied}, name, *credential);
      const auto standing = OpenedStanding(value, name, *credential);
      ASSERT_TRUE(standing.has_value());
      EXPECT_EQ(standing->since, since);
      EXPECT_EQ(standing->denied, denied);
    }
  }
}

// Redis' scripts compare them as texts.
TEST(SharedStanding, ALaterOneHasTheGreaterDigits) {
  const auto credential = TestCredential();
  std::string before;
  for (const absl::Time since :
       {absl::UnixEpoch(), absl::FromUnixSeconds(9), absl::FromUnixSeconds(10), kNoon,
        kNoon + absl::Microseconds(1), absl::FromUnixSeconds(100'000'000'000)}) {
    const std::string digits =
        SealedStanding({since, true}, "name", *credential).substr(0, kStandingDigits);
    EXPECT_LT(before, digits);
    before = digits;
  }
}

TEST(SharedStanding, CredentialsAndAccountsHaveTheirOwnNames) {
  const std::set<std::string> names = {StandingName(*TestCredential("a")),
                                       StandingName(*TestCredential("b")),
                                       StandingName(*TestCredential("a"), NumberedId(1)),
                                       StandingName(*TestCredential("a"), NumberedId(2)),
                                       StandingName(*TestCredential("b"), NumberedId(1))};
  EXPECT_EQ(names.size(), 5u);
}

TEST(SharedStanding, WhatWasChangedCutOrMovedIsNone) {
  const auto credential = TestCredential();
  const std::string name = StandingName(*credential);
  const std::string good = SealedStanding({kNoon, true}, name, *credential);
  EXPECT_FALSE(OpenedStanding(good, name + "x", *credential).has_value());
  EXPECT_FALSE(OpenedStanding(good, name, *TestCredential("another")).has_value());
  EXPECT_FALSE(OpenedStanding(good + "x", name, *credential).has_value());
  for (size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] ^= 1;
    EXPECT_FALSE(OpenedStanding(changed, name, *credential).has_value()) << i;
    EXPECT_FALSE(OpenedStanding(good.substr(0, i), name, *credential).has_value()) << i;
  }
}

}  // namespace
}  // namespace pcap_gateway
