#include "service/endpoints/get_pcap.h"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/source/query.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using pcap::v1::GetPcapResponse;
using ::testing::HasSubstr;

constexpr char kAsked[] = "66802ca5668e47a2b82c2e6746e45037";

Query QueryFor(const Id& pcap) {
  Query query;
  query.endpoint = &kGetPcap;
  query.account = *Id::Parse("023e105f4ecef8ad9ca31a8372d0c353");
  query.resource = pcap;
  return query;
}

Query QueryWith(std::shared_ptr<const Credential> credential) {
  Query query = QueryFor(*Id::Parse(kAsked));
  query.credential = std::move(credential);
  return query;
}

Outcome Parse(int status, const std::string& body, const ParseOptions& options = {},
              const Query& query = QueryFor(*Id::Parse(kAsked))) {
  return kGetPcap.parse(query, {.status = status, .body = body, .content_type = "application/json"},
                        options);
}

GetPcapResponse Response(const Outcome& outcome) {
  GetPcapResponse response;
  EXPECT_TRUE(outcome.ok()) << outcome.error->message;
  EXPECT_TRUE(response.ParseFromString(outcome.message));
  return response;
}

std::string Success(const std::string& result) {
  return R"({"success": true, "errors": [], "messages": [], "result": )" + result + "}";
}

TEST(GetPcap, AsksForTheCaptureOfTheAccount) {
  EXPECT_EQ(kGetPcap.target(QueryFor(*Id::Parse(kAsked))),
            "/accounts/023e105f4ecef8ad9ca31a8372d0c353/pcaps/66802ca5668e47a2b82c2e6746e45037");
  EXPECT_EQ(kGetPcap.method, "GET");
  EXPECT_EQ(kGetPcap.name, "GetPcap");
  EXPECT_EQ(kGetPcap.number, 1);
  EXPECT_EQ(kGetPcap.effect, Effect::kReads);
}

TEST(GetPcap, GivesTheCaptureAndTheMessages) {
  const Outcome outcome = Parse(200, R"({"success": true, "errors": null,
      "messages": ["old", {"code": 1000, "message": "new"}],
      "result": {"type": "full", "id": "66802CA5668E47A2B82C2E6746E45037", "color": "red", "status": "running"}})");
  EXPECT_THAT(Response(outcome), IsProto(R"(
    pcap { full { id: "66802CA5668E47A2B82C2E6746E45037" status: PCAP_STATUS_RUNNING }
           extra_fields { fields { key: "color" value { string_value: "red" } } } }
    messages { message: "old" } messages { code: 1000 message: "new" })"));
  EXPECT_EQ(outcome.stage, Stage::kMoving);
  EXPECT_EQ(outcome.http_status, 200);
}

TEST(GetPcap, IsFinalOnceTheCaptureIs) {
  EXPECT_EQ(Parse(200, Success(R"({"type": "simple", "status": "success"})")).stage, Stage::kFinal);
  EXPECT_EQ(Parse(200, Success(R"({"type": "full", "status": "failed"})")).stage, Stage::kFinal);
  EXPECT_EQ(Parse(200, Success(R"({"type": "full"})")).stage, Stage::kMoving);
}

TEST(GetPcap, TakesACaptureWithoutFields) {
  const GetPcapResponse response = Response(Parse(200, Success("{}")));
  EXPECT_TRUE(response.has_pcap());
  EXPECT_THAT(response, IsProto("pcap {}"));
}

TEST(GetPcap, TakesNoCaptureButTheOneAskedFor) {
  for (const std::string result :
       {R"({"type": "simple", "id": "66802ca5668e47a2b82c2e6746e45038", "status": "success"})",
        R"({"id": ""})", R"({"id": "66802ca5668e47a2b82c2e6746e4503"})",
        R"({"id": " 66802ca5668e47a2b82c2e6746e45037"})",
        R"({"id": "66802ca5-668e-47a2-b82c-2e6746e45037"})",
        R"({"id": 66802}, "other": {"id": "66802ca5668e47a2b82c2e6746e45037"})",
        R"({"id": ["66802ca5668e47a2b82c2e6746e45037"]})", R"({"id": {}})", R"({"id": true})",
        R"({"id": "66802ca5668e47a2b82c2e6746e45037", "id": "x"})"}) {
    const Outcome outcome = Parse(200, Success(result));
    ASSERT_FALSE(outcome.ok()) << result;
    EXPECT_EQ(outcome.error->code, absl::StatusCode::kInternal);
    EXPECT_EQ(outcome.error->reason, Reason::kUpstreamInvalidResponse);
    EXPECT_THAT(outcome.error->message, HasSubstr("not the one asked for"));
    EXPECT_EQ(outcome.message, "");
  }
  // All zeros is an id as any other.
  EXPECT_FALSE(
      Parse(200, Success(R"({"id": "66802ca5668e47a2b82c2e6746e45037"})"), {}, QueryFor(Id()))
          .ok());
}

// Every field of a capture is optional, and digits are the same in capitals.
TEST(GetPcap, TakesTheOneAskedForHoweverItIsWritten) {
  for (const std::string result :
       {R"({"type": "simple", "id": "66802ca5668e47a2b82c2e6746e45037"})",
        R"({"type": "full", "id": "66802CA5668E47A2B82C2E6746E45037"})", R"({"type": "full"})",
        R"({"id": null})", R"({"id": 5, "id": "66802c\u00615668e47a2b82c2e6746e45037"})"}) {
    EXPECT_TRUE(Parse(200, Success(result)).ok()) << result;
  }
}

TEST(GetPcap, RepeatsTheCredentialInNoText) {
  constexpr char kToken[] = "canary-token-that-opens-nothing";
  const auto credential = *Credential::FromToken(Credential::Owner::kCaller, kToken);
  const ParseOptions with{.reveal_destination_secrets = true};
  for (const std::string form :
       {"canary-token-that-opens-nothing", "CANARY-token-that-opens-NOTHING",
        R"(cana\u0072y-token-that-opens-nothing)", R"(\u0063anary\u002dtoken-that-opens-nothing)",
        R"(cana\\u0072y-token-that-opens-nothing)", "cana%72y-token-that-opens-nothing",
        "cana%2572y-token-that-opens-nothing",
        "QmVhcmVyIGNhbmFyeS10b2tlbi10aGF0LW9wZW5zLW5vdGhpbmc="}) {
    const std::string success =
        R"({"success": true, "messages": [{"code": 1, "message": "<)" + form +
        R"(>", "documentation_url": "https://x/)" + form + R"(", "source": {"pointer": "<)" + form +
        R"(>"}}], "result": {"type": "full", "error_message": "<)" + form + R"(>", "<)" + form +
        R"(>": ["<)" + form + R"(>"], "filter_v1": {"source_address": "<)" + form + R"(>"},
            "destination_conf": "r2://b/)" +
        form + R"("}})";
    const Outcome outcome = Parse(200, success, with, QueryWith(credential));
    const GetPcapResponse response = Response(outcome);
    for (const std::string& text :
         {response.pcap().full().error_message(), response.messages(0).message(),
          response.messages(0).source_pointer(),
          response.pcap().full().filter_v1().source_address(),
          response.pcap().extra_fields().fields().begin()->first,
          response.pcap()
              .extra_fields()
              .fields()
              .begin()
              ->second.list_value()
              .values(0)
              .string_value()}) {
      EXPECT_THAT(text, testing::MatchesRegex("<(QmVhcmVyIG)?REDACTED(c=)?>")) << form;
    }
    EXPECT_THAT(response.messages(0).documentation_url(), HasSubstr("REDACTED"));
    EXPECT_THAT(response.pcap().full().destination_conf(), HasSubstr("REDACTED"));

    // Where the text is cut, and where there is no envelope, too.
    for (const std::string& body : {R"({"success": false, "errors": [{"message": ")" +
                                        std::string(180, 'x') + form + R"("}]})",
                                    R"({"title": ")" + std::string(180, 'x') + form + R"("})"}) {
      const Error error = *Parse(400, body, with, QueryWith(credential)).error;
      EXPECT_THAT(error.message, testing::Not(HasSubstr("canary"))) << body;
      EXPECT_THAT(error.message, testing::Not(HasSubstr("cana"))) << body;
      for (const auto& [key, value] : error.metadata) {
        EXPECT_THAT(value, testing::Not(HasSubstr("cana"))) << key;
      }
    }
  }
}

TEST(GetPcap, RepeatsNoCredentialThatIsANumber) {
  const auto credential =
      *Credential::FromToken(Credential::Owner::kCaller, "1234567890123456789012345");
  const GetPcapResponse response =
      Response(Parse(200, Success(R"({"type": "full", "byte_limit": 1234567890123456789012345})"),
                     {}, QueryWith(credential)));
  EXPECT_THAT(response, IsProto(R"(pcap { full {}
      extra_fields { fields { key: "byte_limit" value { string_value: "REDACTED" } } } })"));
}

TEST(GetPcap, AnOddEnvelopeCostsNothingOfTheCapture) {
  for (const std::string part : {R"("errors": null, "messages": null, "success": true)",
                                 R"("errors": ["odd"], "messages": 5, "success": true)",
                                 R"("errors": {}, "messages": {}, "success": "true")",
                                 R"("errors": [[[]]], "messages": [[[]], null], "success": 1)",
                                 R"("result_info": {"page": 1e400}, "new_in_2030": [])"}) {
    const Outcome outcome = Parse(200, "{" + part + R"(, "result": {"type": "simple"}})");
    EXPECT_THAT(Response(outcome), IsProto(R"(pcap { simple {} })")) << part;
  }
}

TEST(GetPcap, RefusesASuccessWithoutACapture) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"success": true, "result": null})", "without a result"},
      {R"({"success": true})", "without a result"},
      {Success("[]"), "with a result that is not an object"},
      {Success(R"([{"id": "x"}])"), "with a result that is not an object"},
      {Success(R"("x")"), "with a result that is not an object"},
      {Success("true"), "with a result that is not an object"},
      {"", "without a body"},
      {"<html>", "not JSON"},
  };
  for (const auto& [body, what] : cases) {
    const Outcome outcome = Parse(200, body);
    ASSERT_FALSE(outcome.ok()) << body;
    EXPECT_EQ(outcome.error->code, absl::StatusCode::kInternal);
    EXPECT_EQ(outcome.error->reason, Reason::kUpstreamInvalidResponse);
    EXPECT_THAT(outcome.error->message, HasSubstr(what));
    EXPECT_EQ(outcome.message, "");
    EXPECT_EQ(outcome.http_status, 200);
  }
}

TEST(GetPcap, GivesTheErrorOfAnErrorStatus) {
  const std::string body = R"({"success": false, "errors": [{"code": 1, "message": "no"}]})";
  const auto callers = *Credential::FromToken(Credential::Owner::kCaller, "token");
  const Outcome outcome = Parse(403, body, {}, QueryWith(callers));
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error->reason, Reason::kUpstreamPermissionDenied);
  EXPECT_EQ(outcome.http_status, 403);
  EXPECT_EQ(Parse(403, body).error->reason, Reason::kUpstreamAccountDenied);
}

TEST(GetPcap, IsNeverOkWhenCloudflareSaysNoSuccess) {
  const Outcome outcome = Parse(200, R"({"success": false, "result": {"type": "simple"}})");
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error->reason, Reason::kUpstreamError);
}

TEST(GetPcap, RevealsSecretsInAnswersOnlyAndOnlyWhenTold) {
  const std::string uri = "r2://b?secret-access-key=s3cr3t";
  const std::string good =
      R"({"success": true, "result": {"type": "full", "destination_conf": ")" + uri + R"("}})";
  const std::string bad = R"({"success": false, "errors": ["cannot write to )" + uri + R"("]})";
  const ParseOptions reveal{.reveal_destination_secrets = true};
  EXPECT_EQ(Response(Parse(200, good, reveal)).pcap().full().destination_conf(), uri);
  EXPECT_EQ(Response(Parse(200, good)).pcap().full().destination_conf(),
            "r2://b?secret-access-key=REDACTED");
  EXPECT_THAT(Parse(400, bad, reveal).error->message, HasSubstr("secret-access-key=REDACTED"));
  EXPECT_THAT(Parse(200, bad, reveal).error->message, HasSubstr("secret-access-key=REDACTED"));
}

TEST(GetPcap, AnyReceiverCanParseTheDeepestCapture) {
  // 32 levels: the envelope, the result, and 30 below.
  std::string nested = "1";
  for (int i = 0; i < 30; ++i) nested = R"({"a": )" + nested + "}";
  Response(Parse(200, Success(R"({"type": "full", "deep": )" + nested + "}")));
  std::string in_filter = "1";
  for (int i = 0; i < 29; ++i) in_filter = R"({"a": )" + in_filter + "}";
  Response(Parse(200, Success(R"({"type": "full", "filter_v1": {"deep": )" + in_filter + "}}")));
  Response(Parse(200, Success(R"({"filter_v1": {"deep": )" + in_filter + "}}")));

  const Outcome deeper = Parse(200, Success(R"({"type": "full", "deep": [)" + nested + "]}"));
  ASSERT_FALSE(deeper.ok());
  EXPECT_EQ(deeper.error->reason, Reason::kUpstreamInvalidResponse);
}

TEST(GetPcap, RefusesAnAnswerThatWouldGrowBeyondWhatClientsAccept) {
  std::string digits = "[0";
  while (digits.size() < 1'000'000) digits += ",0";
  const Outcome outcome = Parse(200, Success(R"({"type": "full", "x": )" + digits + "]}"));
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error->reason, Reason::kUpstreamResponseTooLarge);
}

TEST(GetPcap, SurvivesEveryWayOfCuttingAnAnswerShort) {
  const std::string body = Success(
      R"({"type": "full", "colo_name": "\u00e9\ud83d\ude00", "time_limit": 1.5e2, "x": [true, null]})");
  for (size_t size = 0; size < body.size(); ++size) {
    const Outcome outcome = Parse(200, body.substr(0, size));
    ASSERT_FALSE(outcome.ok()) << size;
    EXPECT_EQ(outcome.error->reason, Reason::kUpstreamInvalidResponse);
  }
}

TEST(GetPcap, SurvivesRandomDamage) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string body = Success(
      R"({"type": "full", "colo_name": "\u00e9", "time_limit": 1.5e2, "x": [true, {"y": -0.1}],
          "filter_v1": {"protocol": 6}, "submitted": "2020-01-01T08:00:00.5+01:00",
          "destination_conf": "r2://b?region=eu&k=v", "status": "complete"})");
  const std::string bytes = "\"\\{}[]:,-+.eE0159tfn \n\xC3\xFF";
  int answers = 0;
  for (int round = 0; round < 10'000; ++round) {
    std::string damaged = body;
    for (auto left = 1 + random() % 3; left > 0; --left) {
      const size_t at = random() % damaged.size();
      const char byte = bytes[random() % bytes.size()];
      switch (random() % 3) {
        case 0:
          damaged[at] = byte;
          break;
        case 1:
          damaged.insert(at, 1, byte);
          break;
        default:
          damaged.erase(at, 1);
      }
    }
    const Outcome outcome = Parse(200, damaged);
    if (!outcome.ok()) continue;
    ++answers;
    // It can only be parsed again if every string in it is valid UTF-8.
    ASSERT_TRUE(GetPcapResponse().ParseFromString(outcome.message)) << damaged;
  }
  EXPECT_GT(answers, 100);
}

}  // namespace
}  // namespace pcap_gateway
