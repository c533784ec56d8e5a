#include "service/operations/recent_errors.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/support/fake_clock.h"

namespace pcap_gateway {
namespace {

class RecentErrorsTest : public testing::Test {
 protected:
  void End(const Reply& reply, const std::string& request_id) {
    const auto caller = [] { return Caller(); };
    errors_.Ended({.method = "/m",
                   .query = query_,
                   .reply = reply,
                   .request_id = request_id,
                   .duration = absl::Seconds(1),
                   .caller = caller});
  }
  void Fail(Reason reason, const std::string& message, const std::string& request_id = "",
            absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    End(FailedReply(Error(code, reason, message)), request_id);
  }

  FakeClock clock_;
  Query query_;
  RecentErrors errors_{[](absl::string_view text) { return "<" + std::string(text) + ">"; },
                       clock_};
};

TEST_F(RecentErrorsTest, CountsThoseOfOneReasonAndPutsTheLatestFirst) {
  Fail(Reason::kPcapNotFound, "a", "1");
  Fail(Reason::kInvalidRequest, "b", "2");
  clock_.Advance(absl::Seconds(1));
  Fail(Reason::kPcapNotFound, "another a", "3");
  const auto all = errors_.All();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].message, "another a");
  EXPECT_EQ(all[0].count, 2u);
  EXPECT_EQ(all[0].request_id, "<3>");
  EXPECT_EQ(all[0].last, clock_.Now());
  EXPECT_EQ(all[0].reason, "PCAP_NOT_FOUND");
  EXPECT_EQ(all[1].message, "b");
}

TEST_F(RecentErrorsTest, AFaultStaysHoweverManyMistakesCallersMake) {
  Fail(Reason::kUpstreamUnreachable, "refused", "1", absl::StatusCode::kUnavailable);
  Fail(Reason::kInternal, "broken", "2", absl::StatusCode::kInternal);
  for (int i = 0; i < 1000; ++i) Fail(Reason::kInvalidRequest, "bad id " + std::to_string(i));
  const auto all = errors_.All();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].count, 1000u);
  EXPECT_FALSE(all[0].is_fault());
  EXPECT_TRUE(all[1].is_fault());
  EXPECT_EQ(all[1].message, "broken");
  EXPECT_TRUE(all[2].is_fault());
}

TEST_F(RecentErrorsTest, OneReasonWithTwoCodesIsTwoKinds) {
  Fail(Reason::kUpstreamCredentialsRejected, "a", "", absl::StatusCode::kInternal);
  Fail(Reason::kUpstreamCredentialsRejected, "a", "", absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(errors_.All().size(), 2u);
}

TEST_F(RecentErrorsTest, KeepsTheLastKnownRequestId) {
  Fail(Reason::kPcapNotFound, "a", "1");
  Fail(Reason::kPcapNotFound, "a", "");
  EXPECT_EQ(errors_.All()[0].request_id, "<1>");
}

TEST_F(RecentErrorsTest, ShowsNoCredentialThatACallerPastedIntoItsRequestId) {
  query_.credential =
      *Credential::FromToken(Credential::Owner::kCaller, "canary-token-that-opens-nothing");
  Fail(Reason::kPcapNotFound, "a", "id:Canary%2Dtoken-that-opens-nothing");
  EXPECT_EQ(errors_.All()[0].request_id, "<id:REDACTED>");
}

TEST_F(RecentErrorsTest, TakesNoNoteOfAnswers) {
  End({.outcome = std::make_shared<Outcome>()}, "1");
  EXPECT_TRUE(errors_.All().empty());
}

}  // namespace
}  // namespace pcap_gateway
