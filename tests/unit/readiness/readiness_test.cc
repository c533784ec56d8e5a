#include "service/readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/fake_loop.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kAccepted[] = R"({"success": true, "result": {"status": "active"}})";
constexpr char kRejected[] =
    R"({"success": false, "errors": [{"code": 1000, "message": "Invalid test-token-1234567"}]})";

HttpResult Answer(int status, std::string body) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

HttpResult Yes() { return Answer(200, kAccepted); }
HttpResult No() { return Answer(401, kRejected); }
HttpResult Nothing() { return FailedWith(TransportFailure::Kind::kConnect); }

class ReadinessTest : public testing::Test {
 protected:
  void Start(std::optional<Id> account = std::nullopt) {
    readiness_ = std::make_unique<Readiness>(
        loop_, client_,
        ReadinessOptions{.question = {.base_url = "http://api.test",
                                      .credential = TestCredential("test-token-1234567"),
                                      .default_account_id = account,
                                      .timeout = absl::Seconds(30)},
                         .ready = [this] { ++ready_; },
                         .log = [this](bool, const std::string& line) { lines_.push_back(line); }});
    loop_.RunAll();
  }

  // Its tickets, timers and answers go by this.
  FakeClock clock_;
  FakeLoop loop_{clock_};
  FakeHttpClient client_;
  int ready_ = 0;
  std::vector<std::string> lines_;
  std::unique_ptr<Readiness> readiness_;
};

TEST_F(ReadinessTest, ACredentialThatIsAcceptedMakesItReadyForGood) {
  Start();
  EXPECT_THAT(readiness_->waits_for(), HasSubstr("has not said yet"));
  ASSERT_EQ(client_.requests.size(), 1u);
  EXPECT_EQ(client_.requests[0].url, "http://api.test/user/tokens/verify");
  client_.End(Yes());
  EXPECT_THAT(readiness_->waits_for(), IsEmpty());
  loop_.Advance(absl::Hours(1));
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(client_.requests.size(), 1u);
  EXPECT_THAT(lines_, ElementsAre("ready: Cloudflare accepts the credential"));
}

TEST_F(ReadinessTest, ARejectedOneIsAskedAboutAgainEverMoreRarelyUntilItIsAccepted) {
  Start();
  client_.End(No());
  EXPECT_EQ(readiness_->waits_for(),
            "--credential: Cloudflare does not accept the gateway's own: HTTP 401, Invalid "
            "REDACTED (if an account owns the token, --default-account-id is needed)");
  std::vector<int> pauses;
  for (int i = 0; i < 8; ++i) {
    const absl::Time before = clock_.Now();
    const size_t asked = client_.requests.size();
    while (client_.requests.size() == asked) {
      ASSERT_FALSE(loop_.idle());
      loop_.Advance(loop_.next_in());
    }
    pauses.push_back(static_cast<int>(absl::ToInt64Seconds(clock_.Now() - before)));
    client_.End(No());
  }
  EXPECT_THAT(pauses, ElementsAre(1, 2, 4, 8, 16, 32, 60, 60));
  EXPECT_EQ(ready_, 0);
  EXPECT_EQ(lines_.size(), 1u);
  loop_.Advance(absl::Minutes(1));
  client_.End(Yes());
  EXPECT_EQ(ready_, 1);
}

TEST_F(ReadinessTest, WhereNothingIsHeardItIsReadyAllTheSameAfterAWhile) {
  Start();
  for (const absl::Duration pause : {absl::Seconds(1), absl::Seconds(2), absl::Seconds(4)}) {
    client_.End(Nothing());
    loop_.Advance(pause);
  }
  EXPECT_EQ(client_.requests.size(), 4u);
  client_.End(Answer(503, "busy"));
  loop_.Advance(absl::Milliseconds(2999));
  EXPECT_EQ(ready_, 0);
  loop_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(ready_, 1);
  EXPECT_THAT(lines_.back(), StartsWith("ready all the same: Cloudflare has not said for 10s "
                                        "whether it accepts the credential: --upstream-url: "));
  loop_.Advance(absl::Hours(1));
  EXPECT_EQ(client_.requests.size(), 4u);
}

TEST_F(ReadinessTest, AnAnswerThatNeverComesIsNoReasonToWaitLonger) {
  Start();
  EXPECT_EQ(client_.requests[0].timeout, absl::Seconds(10));
  loop_.Advance(absl::Seconds(10));
  EXPECT_EQ(ready_, 1);
  client_.End(No());
  EXPECT_THAT(readiness_->waits_for(), IsEmpty());
}

TEST_F(ReadinessTest, AnOutageDoesNotUnsayANo) {
  Start();
  client_.End(No());
  const std::string reason = readiness_->waits_for();
  loop_.Advance(absl::Seconds(1));
  client_.End(Nothing());
  loop_.Advance(absl::Minutes(1));
  client_.End(Nothing());
  EXPECT_EQ(ready_, 0);
  EXPECT_EQ(readiness_->waits_for(), reason);
}

TEST_F(ReadinessTest, AnotherCredentialIsAskedAboutAtOnceAndTheAnswersToTheOldOneCountNoMore) {
  Start();
  client_.End(No());
  loop_.Advance(absl::Seconds(50));
  const size_t asked = client_.requests.size();
  const auto another = TestCredential("another-token-1234");
  readiness_->SetCredential(another);
  loop_.RunAll();
  ASSERT_EQ(client_.requests.size(), asked + 1);
  EXPECT_EQ(client_.requests.back().credential, another);
  client_.End(asked - 1, Yes());
  EXPECT_EQ(ready_, 0);
  client_.End(Nothing());
  // It has its own time to be heard of.
  loop_.Advance(absl::Milliseconds(9999));
  EXPECT_EQ(ready_, 0);
  loop_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(ready_, 1);
}

TEST_F(ReadinessTest, ATokenIsAskedAboutAtTheAccountThatMayOwnIt) {
  Start(NumberedId(7));
  client_.End(No());
  ASSERT_EQ(client_.requests.size(), 2u);
  EXPECT_EQ(client_.requests[1].url,
            "http://api.test/accounts/" + NumberedId(7).ToString() + "/tokens/verify");
  client_.End(Yes());
  EXPECT_EQ(ready_, 1);
}

TEST_F(ReadinessTest, NobodyIsToldOfAnythingOnceItIsGone) {
  Start();
  readiness_.reset();
  client_.End(Yes());
  loop_.Advance(absl::Minutes(1));
  EXPECT_EQ(ready_, 0);
  EXPECT_THAT(lines_, IsEmpty());
}

}  // namespace
}  // namespace pcap_gateway
