#include "service/call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "service/log_redaction.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"
#include "tests/support/until.h"
#include "tests/unit/call_log/kept_lines.h"

namespace pcap_gateway {
namespace {

using nlohmann::json;
using testing::ElementsAre;

class CallLogTest : public testing::Test {
 protected:
  // What the calls that `tell` tells of leave in the log.
  template <typename Tell>
  std::vector<json> LinesOf(Tell tell, double hits = 1, LogLevel level = LogLevel::kDebug) {
    const auto lines = std::make_shared<KeptLines>();
    {
      Log log({.level = level, .redact = LogRedaction(nullptr), .most_waiting = 100'000},
              std::make_unique<KeepingOutput>(lines));
      CallLog calls(log, hits, [this] { return now_; });
      tell(calls);
    }
    return lines->Json();
  }

  void Tell(CallLog& calls, const Reply& reply) {
    const auto caller = [this] {
      return Caller{.address = "ipv4:127.0.0.1:40112", .principal = principal_};
    };
    calls.Ended({.method = "/pcap.v1.PcapService/GetPcap",
                 .query = query_,
                 .reply = reply,
                 .request_id = request_id_,
                 .duration = absl::Microseconds(12'345),
                 .upstream_requests = upstream_requests_,
                 .streamed = streamed_,
                 .caller = caller});
  }

  // The one line of a call with that reply.
  json LineOf(const Reply& reply) {
    const std::vector<json> lines = LinesOf([&](CallLog& calls) { Tell(calls, reply); });
    EXPECT_EQ(lines.size(), 1u);
    return lines.empty() ? json() : lines[0];
  }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  Query query_ = QueryFor(7);
  std::string request_id_ = "request-7";
  int upstream_requests_ = 0;
  std::optional<Streamed> streamed_;
  std::string principal_;
};

Reply Hit() {
  return {.outcome = MakeOutcome(absl::UnixEpoch(), "", Stage::kFinal),
          .cache_status = {.how = CacheStatus::How::kHit, .ttl = absl::Seconds(27)}};
}

Reply Miss(CacheStatus::How how = CacheStatus::How::kUriMiss) {
  auto outcome = std::make_shared<Outcome>();
  outcome->http_status = 200;
  outcome->cf_ray = Ray("8f1e2d3c4b5a6978-AMS");
  return {.outcome = std::move(outcome),
          .cache_status = {.how = how, .stored = true, .ttl = absl::Seconds(2)}};
}

Reply Failure(absl::StatusCode code, Reason reason, std::string message = "it failed") {
  Reply reply = FailedReply(Error(code, reason, std::move(message)));
  reply.cache_status.how = CacheStatus::How::kUriMiss;
  return reply;
}

std::set<std::string> NamesIn(const json& line) {
  std::set<std::string> names;
  for (const auto& [name, value] : line.items()) names.insert(name);
  return names;
}

TEST_F(CallLogTest, SaysAllOfAMiss) {
  query_.trace = {.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                  .tracestate = "vendor=private",
                  .request_id = "request-7"};
  upstream_requests_ = 2;
  json line = LineOf(Miss());
  line.erase("time");
  EXPECT_EQ(line, json({{"level", "info"},
                        {"message", "answered"},
                        {"method", "/pcap.v1.PcapService/GetPcap"},
                        {"code", "OK"},
                        {"duration_ms", 12.345},
                        {"cache_status", "pcap-gateway; fwd=uri-miss; stored; ttl=2"},
                        {"upstream_requests", 2},
                        {"http_status", 200},
                        {"account_id", query_.account.ToString()},
                        {"pcap_id", query_.resource.ToString()},
                        {"request_id", "request-7"},
                        {"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"},
                        {"span_id", "00f067aa0ba902b7"},
                        {"cf_ray", "8f1e2d3c4b5a6978-AMS"},
                        {"peer", "ipv4:127.0.0.1:40112"}}));
}

TEST_F(CallLogTest, AHitHasNoExchangeOfItsOwn) {
  request_id_ = "";
  EXPECT_THAT(NamesIn(LineOf(Hit())),
              ElementsAre("account_id", "cache_status", "code", "duration_ms", "level", "message",
                          "method", "pcap_id", "peer", "time", "upstream_requests"));
}

TEST_F(CallLogTest, WhoShowedACertificateIsNamedByIt) {
  principal_ = "spiffe://example.com/team/network";
  EXPECT_EQ(LineOf(Miss())["principal"], "spiffe://example.com/team/network");
}

TEST_F(CallLogTest, AStaleAnswerAfterAFailureIsAWarningWithThatFailuresStatus) {
  Reply reply = Miss(CacheStatus::How::kStale);
  reply.cache_status = {.how = CacheStatus::How::kStale,
                        .stale_if_error = true,
                        .forward_status = 503,
                        .ttl = absl::Seconds(-40)};
  const json line = LineOf(reply);
  EXPECT_EQ(line["level"], "warn");
  EXPECT_EQ(line["http_status"], 503);
  EXPECT_EQ(line["code"], "OK");
  EXPECT_FALSE(line.contains("cf_ray"));
}

TEST_F(CallLogTest, AFailureSaysWhy) {
  const json line = LineOf(
      Failure(absl::StatusCode::kNotFound, Reason::kPcapNotFound, "there is no such capture"));
  EXPECT_EQ(line["message"], "there is no such capture");
  EXPECT_EQ(line["code"], "NOT_FOUND");
  EXPECT_EQ(line["reason"], "PCAP_NOT_FOUND");
  EXPECT_FALSE(line.contains("http_status"));
}

TEST_F(CallLogTest, ARequestThatCouldNotBeReadHasNoIds) {
  query_ = Query();  // no credential either
  const json line =
      LineOf(Failure(absl::StatusCode::kInvalidArgument, Reason::kInvalidRequest, "no such id"));
  EXPECT_FALSE(line.contains("account_id"));
  EXPECT_FALSE(line.contains("pcap_id"));
}

TEST_F(CallLogTest, TheLevelGoesByTheCode) {
  const std::map<absl::StatusCode, std::string> levels = {
      {absl::StatusCode::kCancelled, "info"},
      {absl::StatusCode::kInvalidArgument, "info"},
      {absl::StatusCode::kNotFound, "info"},
      {absl::StatusCode::kAlreadyExists, "info"},
      {absl::StatusCode::kUnauthenticated, "info"},
      {absl::StatusCode::kDeadlineExceeded, "warn"},
      {absl::StatusCode::kPermissionDenied, "warn"},
      {absl::StatusCode::kResourceExhausted, "warn"},
      {absl::StatusCode::kFailedPrecondition, "warn"},
      {absl::StatusCode::kAborted, "warn"},
      {absl::StatusCode::kOutOfRange, "warn"},
      {absl::StatusCode::kUnavailable, "warn"},
      {absl::StatusCode::kUnknown, "error"},
      {absl::StatusCode::kUnimplemented, "error"},
      {absl::StatusCode::kInternal, "error"},
      {absl::StatusCode::kDataLoss, "error"},
  };
  for (const auto& [code, level] : levels) {
    EXPECT_EQ(LineOf(Failure(code, Reason::kInternal))["level"], level)
        << absl::StatusCodeToString(code);
  }
  EXPECT_EQ(LineOf(Miss())["level"], "info");
  EXPECT_EQ(LineOf(Hit())["level"], "info");
}

TEST_F(CallLogTest, OfHitsAShareHasLinesAndOfOtherCallsAll) {
  const auto lines = LinesOf(
      [&](CallLog& calls) {
        for (int i = 0; i < 1000; ++i) {
          Tell(calls, Hit());
          Tell(calls, Miss());
        }
      },
      0.01);
  std::map<int, int> ttls;  // tell hits from misses
  for (const json& line : lines)
    ++ttls[line["cache_status"] == "pcap-gateway; hit; ttl=27" ? 1 : 0];
  EXPECT_THAT(ttls, ElementsAre(testing::Pair(0, 1000), testing::Pair(1, 10)));
}

TEST_F(CallLogTest, ACallersSampledFlagDoesNotBringItALine) {
  query_.trace.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_THAT(LinesOf([&](CallLog& calls) { Tell(calls, Hit()); }, 0), ElementsAre());
}

TEST_F(CallLogTest, WhatIsBelowTheLevelHasNoLine) {
  const auto tell_all = [&](CallLog& calls) {
    Tell(calls, Hit());
    Tell(calls, Miss());
    Tell(calls, Failure(absl::StatusCode::kNotFound, Reason::kPcapNotFound));
    Tell(calls, Failure(absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable));
    Tell(calls, Failure(absl::StatusCode::kInternal, Reason::kInternal));
  };
  EXPECT_EQ(LinesOf(tell_all, 1, LogLevel::kInfo).size(), 5u);
  EXPECT_EQ(LinesOf(tell_all, 1, LogLevel::kWarn).size(), 2u);
  EXPECT_EQ(LinesOf(tell_all, 1, LogLevel::kError).size(), 1u);
}

// Whoever looks for what was done is to find it, whatever else went wrong.
TEST_F(CallLogTest, EachWriteThatWasSentAndEachDownloadHasALine) {
  constexpr int kMany = 1000;
  const auto lines_of = [&] {
    return LinesOf([&](CallLog& calls) {
      for (int i = 0; i < kMany; ++i) {
        Tell(calls, Failure(absl::StatusCode::kUnknown, Reason::kOutcomeUnknown));
      }
    });
  };
  EXPECT_LT(lines_of().size(), kMany);
  streamed_ = Streamed{.messages = 1, .bytes = 1};
  EXPECT_EQ(lines_of().size(), kMany);
  streamed_.reset();
  query_ = WriteOf(7);
  EXPECT_LT(lines_of().size(), kMany);  // none was sent
  upstream_requests_ = 1;
  EXPECT_EQ(lines_of().size(), kMany);
}

TEST_F(CallLogTest, TheResourceIsCalledWhatItsRequestCallsIt) {
  Endpoint endpoint = WritingEndpoint();
  endpoint.resource = "ownership_id";
  query_.endpoint = &endpoint;
  const json line = LineOf(Miss());
  EXPECT_EQ(line["ownership_id"], query_.resource.ToString());
  EXPECT_FALSE(line.contains("pcap_id"));
}

TEST_F(CallLogTest, AFloodOfEqualFailuresIsCountedInsteadOfWritten) {
  const auto lines = LinesOf([&](CallLog& calls) {
    for (int i = 0; i < 50'000; ++i) {
      Tell(calls, Failure(absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable));
    }
    // Another kind is not held back with them.
    Tell(calls, Failure(absl::StatusCode::kUnavailable, Reason::kOverloaded));
  });
  int64_t written = 0;
  int64_t suppressed = 0;
  for (const json& line : lines) {
    if (line["reason"] == "OVERLOADED") continue;
    ASSERT_EQ(line["code"], "UNAVAILABLE");
    ASSERT_EQ(line["reason"], "UPSTREAM_UNAVAILABLE");
    ASSERT_EQ(line["level"], "warn");
    if (line.contains("suppressed")) {
      suppressed += line["suppressed"].get<int64_t>();
    } else {
      ++written;
    }
  }
  EXPECT_EQ(written, 100);
  EXPECT_EQ(suppressed, 49'900);
  EXPECT_EQ(lines.back().contains("suppressed"), true);
}

// Without waiting for another failure, or for the end.
TEST_F(CallLogTest, WhatWasHeldBackIsSoonSaid) {
  const auto lines = std::make_shared<KeptLines>();
  Log log({.redact = LogRedaction(nullptr)}, std::make_unique<KeepingOutput>(lines));
  CallLog calls(log, 1, [this] { return now_; });
  for (int i = 0; i < 101; ++i) {
    Tell(calls, Failure(absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable));
  }
  ASSERT_TRUE(Until([&] { return lines->Text().size() >= 101; }));
  EXPECT_EQ(lines->Json().back()["suppressed"], 1);
}

TEST_F(CallLogTest, TheCallersOwnCredentialIsHiddenWhereverItStands) {
  const std::string token = "canary-token-7d1f0a9be4c2";
  query_.credential = TestCredential(token);
  request_id_ = "id-" + token;
  const json line =
      LineOf(Failure(absl::StatusCode::kInternal, Reason::kUpstreamError, "who is " + token + "?"));
  EXPECT_EQ(line["request_id"], "id-REDACTED");
  EXPECT_EQ(line["message"], "who is REDACTED?");
}

TEST_F(CallLogTest, MetadataThatIsNoIdIsNotLogged) {
  query_.trace = {.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                  .tracestate = "canary=1"};
  EXPECT_EQ(LineOf(Miss()).dump().find("canary"), std::string::npos);
}

}  // namespace
}  // namespace pcap_gateway
