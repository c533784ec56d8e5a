#include "service/upstream/budgeted_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"

namespace pcap_gateway {
namespace {

class BudgetedClientTest : public testing::Test {
 protected:
  // How a request ends that ends at once.
  std::string Ask(HttpRequest request) {
    std::string end = "under way";
    client_.Send(std::move(request), [&end, this](HttpResult result) {
      end = EndOf(result);
      if (const auto* withheld = std::get_if<Withheld>(&result)) wait_ = withheld->retry_after;
    });
    return end;
  }

  FakeClock clock_;
  FakeHttpClient http_;
  BudgetedClient client_{http_, {.limit = 3, .reserve = 1}, clock_};
  absl::Duration wait_;
};

TEST_F(BudgetedClientTest, WithholdsWhatWouldBreakTheLimit) {
  http_.at_once = Answered(200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask(RequestFor(i)), "200");
  EXPECT_EQ(Ask(RequestFor(3)), "withheld");
  EXPECT_EQ(http_.requests.size(), 3u);
  clock_.Advance(wait_);
  EXPECT_EQ(Ask(RequestFor(3)), "200");
}

TEST_F(BudgetedClientTest, EachCredentialHasABudgetOfItsOwn) {
  http_.at_once = Answered(200);
  for (int i = 0; i < 4; ++i) Ask(RequestFor(i));
  HttpRequest request = RequestFor(4);
  request.credential = TestCredential("another");
  EXPECT_EQ(Ask(std::move(request)), "200");
}

TEST_F(BudgetedClientTest, RefreshesLeaveTheReserve) {
  http_.at_once = Answered(200);
  HttpRequest refresh = RequestFor(1);
  refresh.background = true;
  EXPECT_EQ(Ask(refresh), "200");
  EXPECT_EQ(Ask(refresh), "200");
  EXPECT_EQ(Ask(refresh), "withheld");
  EXPECT_EQ(Ask(RequestFor(1)), "200");
  EXPECT_EQ(client_.stats().withheld_background.Value(), 1u);
}

TEST_F(BudgetedClientTest, LearnsFromAnswers) {
  http_.at_once = Answered(429, "30");
  EXPECT_EQ(Ask(RequestFor(1)), "429");
  EXPECT_EQ(Ask(RequestFor(2)), "withheld");
  EXPECT_EQ(wait_, absl::Seconds(30));
  EXPECT_EQ(client_.stats().blocked.Value(), 1u);
}

TEST_F(BudgetedClientTest, CountsWhatCloudflareMayNotHaveCountedYet) {
  for (int i = 1; i <= 2; ++i) client_.Send(RequestFor(i), [](HttpResult) {});
  HttpAnswer answer;
  answer.status = 200;
  answer.ratelimit = R"("default";r=1;t=30)";  // which the other one will have used up
  http_.End(0, answer);
  EXPECT_EQ(Ask(RequestFor(3)), "withheld");
}

}  // namespace
}  // namespace pcap_gateway
