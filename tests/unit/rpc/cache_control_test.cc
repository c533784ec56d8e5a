#include "service/rpc/cache_control.h"

#include <gtest/gtest.h>

namespace pcap_gateway {
namespace {

TEST(CacheControlOf, ReadsTheMaxAgeOfARequest) {
  const absl::Duration any = absl::InfiniteDuration();
  const struct {
    const char* text;
    absl::Duration expected;
  } cases[] = {
      {"", any},
      {"no-cache", absl::ZeroDuration()},
      {"No-Cache", absl::ZeroDuration()},
      {"max-age=30", absl::Seconds(30)},
      {"MAX-AGE=30", absl::Seconds(30)},
      {"max-age=\"30\"", absl::Seconds(30)},
      {"max-age=0", absl::ZeroDuration()},
      {"foo, max-age=30 , bar=2", absl::Seconds(30)},
      {"max-age=30, max-age=10", absl::Seconds(10)},
      {"max-age=30, no-cache", absl::ZeroDuration()},
      {"no-store", any},
      // RFC 9111, 1.2.2: what is too large counts as 2^31.
      {"max-age=99999999999999999999", absl::Seconds(int64_t{1} << 31)},
      // What is malformed is as if it were not there.
      {"max-age", any},
      {"max-age=", any},
      {"max-age=-1", any},
      {"max-age=1.5", any},
      {"max-age=1s", any},
      {"max-age=\"", any},
      {"max-age =5", any},
      {",,,", any},
  };
  for (const auto& c : cases) EXPECT_EQ(CacheControlOf(c.text).max_age, c.expected) << c.text;
}

TEST(CacheControlOf, ReadsOnlyIfCached) {
  EXPECT_TRUE(CacheControlOf("only-if-cached").only_if_cached);
  EXPECT_TRUE(CacheControlOf("max-age=3, Only-If-Cached").only_if_cached);
  EXPECT_FALSE(CacheControlOf("max-age=3").only_if_cached);
  EXPECT_FALSE(CacheControlOf("only-if-cached=1").only_if_cached);
}

}  // namespace
}  // namespace pcap_gateway
