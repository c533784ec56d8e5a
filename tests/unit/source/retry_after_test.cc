#include "service/source/retry_after.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/time/civil_time.h"

namespace pcap_gateway {
namespace {

const absl::Time kNow =
    absl::FromCivil(absl::CivilSecond(2026, 8, 1, 12, 0, 0), absl::UTCTimeZone());

TEST(RetryAfterFrom, ReadsSecondsAndDates) {
  const std::pair<std::string, std::optional<absl::Duration>> cases[] = {
      {"0", absl::ZeroDuration()},
      {"120", absl::Seconds(120)},
      {" 120\t", absl::Seconds(120)},
      {"3600", absl::Hours(1)},
      {"86400", absl::Hours(1)},
      {"99999999999999999999999", absl::Hours(1)},
      {"Sat, 01 Aug 2026 12:00:30 GMT", absl::Seconds(30)},
      {"Saturday, 01-Aug-26 12:00:30 GMT", absl::Seconds(30)},
      {"Sat Aug  1 12:00:30 2026", absl::Seconds(30)},
      {"Sat, 01 Aug 2026 11:00:00 GMT", absl::ZeroDuration()},
      {"Tue, 01 Sep 2026 12:00:00 GMT", absl::Hours(1)},
      {"", std::nullopt},
      {"-1", std::nullopt},
      {"1.5", std::nullopt},
      {"1e3", std::nullopt},
      {"soon", std::nullopt},
      {"infinite-future", std::nullopt},
      {std::string(1000, '1'), std::nullopt},
  };
  for (const auto& [header, expected] : cases) {
    EXPECT_EQ(RetryAfterFrom(header, kNow), expected) << header;
  }
}

}  // namespace
}  // namespace pcap_gateway
