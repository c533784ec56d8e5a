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
    const Query query;
    errors_.Ended({.method = "/m",
                   .query = query,
                   .reply = reply,
                   .request_id = request_id,
                   .duration = absl::Seconds(1),
                   .caller = caller});
  }
  void Fail(const std::string& message, const std::string& request_id = "") {
    End(FailedReply(Error(absl::StatusCode::kNotFound, Reason::kPcapNotFound, message)),
        request_id);
  }

  FakeClock clock_;
  RecentErrors errors_{3, clock_};
};

TEST_F(RecentErrorsTest, CountsEqualOnesAndPutsTheLatestFirst) {
  Fail("a", "1");
  Fail("b", "2");
  clock_.Advance(absl::Seconds(1));
  Fail("a", "3");
  const auto all = errors_.All();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].message, "a");
  EXPECT_EQ(all[0].count, 2u);
  EXPECT_EQ(all[0].request_id, "3");
  EXPECT_EQ(all[0].last, clock_.Now());
  EXPECT_EQ(all[0].reason, "PCAP_NOT_FOUND");
  EXPECT_EQ(all[1].message, "b");
}

TEST_F(RecentErrorsTest, KeepsTheLastKnownRequestId) {
  Fail("a", "1");
  Fail("a", "");
  EXPECT_EQ(errors_.All()[0].request_id, "1");
}

TEST_F(RecentErrorsTest, ForgetsTheOldest) {
  for (const char* message : {"a", "b", "c", "d"}) Fail(message);
  const auto all = errors_.All();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].message, "d");
  EXPECT_EQ(all[2].message, "b");
}

TEST_F(RecentErrorsTest, TakesNoNoteOfAnswers) {
  End({.outcome = std::make_shared<Outcome>()}, "1");
  EXPECT_TRUE(errors_.All().empty());
}

}  // namespace
}  // namespace pcap_gateway
