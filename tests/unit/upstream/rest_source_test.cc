#include "service/upstream/rest_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/fake_loop.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;
using testing::ElementsAre;

class RestSourceTest : public testing::Test {
 protected:
  Ticket Ask(Query query) {
    return source_.Ask(std::move(query), [this](Reply reply) { replies_.push_back(reply); });
  }

  const Error& error() const { return *replies_.at(0).outcome->error; }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  FakeHttpClient http_;
  RestSource source_{
      loop_, http_, {.base_url = "https://api.test/v4", .timeout = absl::Seconds(30)}, clock_};
  std::vector<Reply> replies_;
};

TEST_F(RestSourceTest, AsksTheEndpointsPathBelowTheBaseUrl) {
  Query query = QueryFor(7);
  query.trace = {.traceparent = "00-a-b-01", .tracestate = "k=v", .request_id = "r1"};
  query.requests_sent = std::make_shared<std::atomic<int>>(0);
  Ask(query);
  loop_.RunAll();
  ASSERT_EQ(http_.requests.size(), 1u);
  EXPECT_EQ(http_.requests[0].url, "https://api.test/v4/" + NumberedId(7).ToString());
  EXPECT_EQ(http_.requests[0].method, "GET");
  EXPECT_EQ(http_.requests[0].credential, query.credential);
  EXPECT_EQ(http_.requests[0].requests_sent, query.requests_sent);
  EXPECT_THAT(http_.requests[0].header_lines,
              ElementsAre("traceparent: 00-a-b-01", "tracestate: k=v", "X-Request-ID: r1"));
}

TEST_F(RestSourceTest, AnAnswerBecomesAnOutcomeOfTheTimeItWasAskedFor) {
  Ask(QueryFor(1));
  loop_.RunAll();
  const absl::Time sent_at = clock_.Now();
  clock_.Advance(absl::Seconds(2));
  http_.End(0, HttpAnswer{.status = 200, .body = "parsed", .cf_ray = "8f1-AMS"});
  ASSERT_EQ(replies_.size(), 1u);
  const Reply& reply = replies_[0];
  EXPECT_EQ(reply.outcome->message, "parsed");
  EXPECT_EQ(reply.outcome->http_status, 200);
  EXPECT_EQ(reply.outcome->cf_ray.text(), "8f1-AMS");
  EXPECT_EQ(reply.outcome->as_of, sent_at);
  EXPECT_EQ(reply.age, absl::Seconds(2));
  EXPECT_EQ(reply.cache_status.how, CacheStatus::How::kBypass);
}

TEST_F(RestSourceTest, ARayThatIsNoRayIsNotRepeated) {
  for (const char* ray : {"8f1\x01", "8f1 AMS", "\xc3\xa9", "a,b", "8f2b3c4d5e6f7a8b-LONG-AMS",
                          "a-short-token", "8f2b3c4d", "-AMS", "8f2b-"}) {
    replies_.clear();
    Ask(QueryFor(1));
    loop_.RunAll();
    http_.End(http_.requests.size() - 1, HttpAnswer{.status = 200, .cf_ray = ray});
    EXPECT_EQ(replies_.at(0).outcome->cf_ray.text(), "") << ray;
  }
}

constexpr char kToken[] = "canary-token-that-opens-nothing";

TEST_F(RestSourceTest, NothingTellsTheCredentialThatItWasAskedWith) {
  static const Endpoint endpoint = [] {
    Endpoint made = TestEndpoint();
    made.parse = [](const Query& query, const HttpAnswer& answer, const ParseOptions&) {
      EXPECT_EQ(query.resource, NumberedId(1));
      std::string text = "said by " + answer.content_type;
      EXPECT_TRUE(query.credential->finder().MayHold(kToken));
      Outcome outcome;
      outcome.error = std::make_unique<const Error>(absl::StatusCode::kUnavailable,
                                                    Reason::kUpstreamUnavailable, text);
      return outcome;
    };
    return made;
  }();
  Query query = QueryFor(1);
  query.endpoint = &endpoint;
  query.credential = TestCredential(kToken);
  query.trace = {.tracestate = std::string("k=") + kToken,
                 .request_id = "CANARY%2Dtoken-that-opens-nothing"};
  Ask(query);
  Ask(query);
  loop_.RunAll();
  EXPECT_THAT(http_.requests[0].header_lines,
              ElementsAre("tracestate: k=REDACTED", "X-Request-ID: REDACTED"));
  http_.End(0, HttpAnswer{.status = 403, .content_type = std::string("text/") + kToken});
  http_.End(1, TransportFailure{.kind = Kind::kTls,
                                .detail = std::string("the certificate is for ") + kToken,
                                .for_operators = std::string("host port 1: ") + kToken});
  EXPECT_EQ(replies_.at(0).outcome->error->message, "said by text/REDACTED");
  EXPECT_THAT(replies_.at(1).outcome->error->message,
              testing::EndsWith("the certificate is for REDACTED"));
  EXPECT_EQ(replies_.at(1).outcome->error->for_operators, "host port 1: REDACTED");
}

// A global API key consists of hexadecimal digits.
TEST_F(RestSourceTest, ARayThatIsTheKeyIsNotRepeated) {
  Query query = QueryFor(1);
  query.credential = *Credential::FromEmailAndKey(Credential::Owner::kCaller, "me@example.com",
                                                  "0123456789abcdef");
  Ask(query);
  loop_.RunAll();
  http_.End(0, HttpAnswer{.status = 200, .cf_ray = "0123456789abcdef-AMS"});
  EXPECT_EQ(replies_.at(0).outcome->cf_ray.text(), "");
}

TEST_F(RestSourceTest, TheNearerOfDeadlineAndTimeoutLimitsTheRequest) {
  Query query = QueryFor(1);
  query.deadline = clock_.Now() + absl::Seconds(3);
  Ask(query);
  Ask(QueryFor(2));
  loop_.RunAll();
  EXPECT_EQ(http_.requests[0].timeout, absl::Seconds(3));
  EXPECT_EQ(http_.requests[1].timeout, absl::Seconds(30));
}

struct Row {
  Kind kind;
  absl::StatusCode code;
  Reason reason;
};

TEST_F(RestSourceTest, EachTransportFailureHasItsCodeAndReason) {
  const Row rows[] = {
      {Kind::kResolve, absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable},
      {Kind::kConnect, absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable},
      {Kind::kTls, absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable},
      {Kind::kTimeout, absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable},
      {Kind::kBroken, absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable},
      {Kind::kMalformed, absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable},
      {Kind::kTooLarge, absl::StatusCode::kInternal, Reason::kUpstreamResponseTooLarge},
      {Kind::kCancelled, absl::StatusCode::kCancelled, Reason::kCancelled},
      {Kind::kStopped, absl::StatusCode::kUnavailable, Reason::kShuttingDown},
      {Kind::kOwnLimits, absl::StatusCode::kUnavailable, Reason::kOverloaded},
  };
  for (const Row& row : rows) {
    replies_.clear();
    Ask(QueryFor(1));
    loop_.RunAll();
    http_.End(http_.requests.size() - 1, TransportFailure{row.kind, "why"});
    EXPECT_EQ(error().code, row.code) << NameOf(row.reason);
    EXPECT_EQ(error().reason, row.reason) << NameOf(row.reason);
    EXPECT_EQ(replies_[0].outcome->http_status, 0);
  }
}

TEST_F(RestSourceTest, ATimeoutThatTheCallersDeadlineSetIsTheCallersDeadline) {
  Query query = QueryFor(1);
  query.deadline = clock_.Now() + absl::Seconds(3);
  Ask(query);
  loop_.RunAll();
  http_.End(0, TransportFailure{Kind::kTimeout, "timeout"});
  EXPECT_EQ(error().reason, Reason::kDeadlineExceeded);
}

TEST_F(RestSourceTest, ACallersRejectedCredentialIsRejectedHereForAWhile) {
  static const Endpoint endpoint = [] {
    Endpoint made = TestEndpoint();
    made.parse = [](const Query&, const HttpAnswer& answer, const ParseOptions&) {
      Outcome outcome;
      if (answer.status == 200) return outcome;
      Error error(absl::StatusCode::kUnauthenticated, Reason::kUpstreamUnauthenticated, "no");
      error.denies = answer.status == 401 ? Denies::kEverything : Denies::kAccount;
      outcome.error = std::make_unique<const Error>(std::move(error));
      return outcome;
    };
    return made;
  }();
  const auto requests_after = [&](int status, Credential::Owner owner, const char* token) {
    for (int i = 0; i < 3; ++i) {
      Query query = QueryFor(1 + i);
      query.endpoint = &endpoint;
      query.credential = TestCredential(token, owner);
      http_.at_once = Answered(status);
      Ask(query);
      loop_.RunAll();
      if (status == 200) continue;
      EXPECT_EQ(replies_.back().outcome->error->reason, Reason::kUpstreamUnauthenticated);
    }
    return std::exchange(http_.requests, {}).size();
  };
  EXPECT_EQ(requests_after(401, Credential::Owner::kCaller, "garbage"), 1u);
  EXPECT_EQ(requests_after(401, Credential::Owner::kCaller, "other-garbage"), 1u);
  // One account is not all, and the gateway's own credential is its operator's affair.
  EXPECT_EQ(requests_after(403, Credential::Owner::kCaller, "good"), 3u);
  EXPECT_EQ(requests_after(401, Credential::Owner::kGateway, "own"), 3u);
  clock_.Advance(RejectedCredentials::kHowLong);
  EXPECT_EQ(requests_after(401, Credential::Owner::kCaller, "garbage"), 1u);

  // One that was accepted has a second chance, and no third.
  for (int i = 0; i < 2; ++i) {
    clock_.Advance(RejectedCredentials::kHowLong);
    EXPECT_EQ(requests_after(200, Credential::Owner::kCaller, "revoked"), 3u);
    EXPECT_EQ(requests_after(401, Credential::Owner::kCaller, "revoked"), 2u);
    EXPECT_EQ(requests_after(401, Credential::Owner::kCaller, "revoked"), 0u);
  }
}

TEST_F(RestSourceTest, CancelReachesTheRequest) {
  Ticket ticket = Ask(QueryFor(1));
  ticket.Cancel();  // before the loop has even sent it
  loop_.RunAll();
  ASSERT_EQ(replies_.size(), 1u);
  EXPECT_EQ(error().code, absl::StatusCode::kCancelled);
}

TEST_F(RestSourceTest, CancelAfterTheAnswerChangesNothing) {
  Ticket ticket = Ask(QueryFor(1));
  loop_.RunAll();
  http_.End(0, HttpAnswer{.status = 200, .body = "parsed"});
  ticket.Cancel();
  loop_.RunAll();
  EXPECT_EQ(replies_.size(), 1u);
}

}  // namespace
}  // namespace pcap_gateway
