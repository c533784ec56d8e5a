#include "service/rpc/call_headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <set>
#include <utility>
#include <variant>

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

CallHeaders Headers(
    std::initializer_list<std::pair<absl::string_view, absl::string_view>> entries) {
  CallHeaders headers;
  for (const auto& [key, value] : entries) headers.Read(key, value);
  return headers;
}

TEST(CallHeaders, TheStricterOfSeveralCacheControlsWins) {
  EXPECT_EQ(Headers({}).cache_control().max_age, absl::InfiniteDuration());
  const CacheControl several =
      Headers({{"cache-control", "max-age=9, only-if-cached"}, {"cache-control", "max-age=3"}})
          .cache_control();
  EXPECT_EQ(several.max_age, absl::Seconds(3));
  EXPECT_TRUE(several.only_if_cached);
}

TEST(CallHeaders, AValidTraceIsPassedOn) {
  const Trace trace = Headers({{"traceparent", kTraceparent},
                               {"tracestate", "vendor=1,other=2"},
                               {"x-request-id", "req-42"}})
                          .trace();
  EXPECT_EQ(trace.traceparent, kTraceparent);
  EXPECT_EQ(trace.tracestate, "vendor=1,other=2");
  EXPECT_EQ(trace.request_id, "req-42");
}

TEST(CallHeaders, AMalformedTraceparentIsDroppedAndTakesItsStateAlong) {
  for (const std::string bad : {
           "",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n",
           "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
       }) {
    const Trace trace = Headers({{"traceparent", bad}, {"tracestate", "vendor=1"}}).trace();
    EXPECT_EQ(trace.traceparent, "") << bad;
    EXPECT_EQ(trace.tracestate, "") << bad;
  }
}

TEST(CallHeaders, ALaterTraceparentVersionMayBeLonger) {
  const std::string later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
  EXPECT_EQ(Headers({{"traceparent", later}}).trace().traceparent, later);
}

TEST(CallHeaders, ARequestIdThatCannotBeAHeaderIsDropped) {
  for (const std::string& bad :
       {std::string("a b"), std::string("a\r\nX: y"), std::string("\xc3\xa9"),
        std::string("a\0b", 3), std::string(129, 'x')}) {
    EXPECT_EQ(Headers({{"x-request-id", bad}}).trace().request_id, "");
  }
}

TEST(CallHeaders, ABearerTokenIsTheCallersCredential) {
  const auto credential = Headers({{"authorization", "bearer canary"}}).credential();
  const auto& made = std::get<std::shared_ptr<const Credential>>(credential);
  EXPECT_EQ(made->owner(), Credential::Owner::kCaller);
  EXPECT_THAT(made->header_lines(), testing::ElementsAre("Authorization: Bearer canary"));
}

TEST(CallHeaders, EmailAndKeyAreTheCallersCredential) {
  const auto credential =
      Headers({{"x-auth-email", "a@b.c"}, {"x-auth-key", "canary"}}).credential();
  EXPECT_THAT(std::get<std::shared_ptr<const Credential>>(credential)->header_lines(),
              testing::ElementsAre("X-Auth-Email: a@b.c", "X-Auth-Key: canary"));
}

TEST(CallHeaders, NoCredentialIsAnError) {
  for (const CallHeaders& headers :
       {Headers({}), Headers({{"x-auth-email", "a@b.c"}}), Headers({{"x-auth-key", "canary"}})}) {
    const auto credential = headers.credential();
    EXPECT_EQ(std::get<Error>(credential).code, absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(std::get<Error>(credential).reason, Reason::kMissingCredential);
  }
}

TEST(CallHeaders, ACredentialThatCannotBeSentIsAnErrorThatRepeatsNoneOfIt) {
  for (const CallHeaders& headers :
       {Headers({{"authorization", "Basic canary"}}), Headers({{"authorization", "Bearer "}}),
        Headers({{"authorization", "Bearer canary canary"}}),
        Headers({{"authorization", "Bearer canary\r\nX: y"}}),
        Headers({{"x-auth-email", "canary"}, {"x-auth-key", "ca nary"}})}) {
    const auto credential = headers.credential();
    EXPECT_EQ(std::get<Error>(credential).reason, Reason::kInvalidCredential);
    EXPECT_THAT(std::get<Error>(credential).message, Not(HasSubstr("canary")));
  }
}

TEST(NewRequestId, IsNeverTheSame) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(NewRequestId());
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(ids.begin()->size(), 32u);
}

}  // namespace
}  // namespace pcap_gateway
