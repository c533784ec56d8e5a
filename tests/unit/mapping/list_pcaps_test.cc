#include "service/endpoints/list_pcaps.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/source/query.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using pcap::v1::ListPcapsResponse;
using ::testing::HasSubstr;

Query ListOf(const std::string& account) {
  Query query;
  query.endpoint = &kListPcaps;
  query.account = *Id::Parse(account);
  return query;
}

Outcome Parse(int status, const std::string& body, const ParseOptions& options = {}) {
  return kListPcaps.parse(ListOf("023e105f4ecef8ad9ca31a8372d0c353"),
                          {.status = status, .body = body, .content_type = "application/json"},
                          options);
}

ListPcapsResponse Response(const Outcome& outcome) {
  ListPcapsResponse response;
  EXPECT_TRUE(outcome.ok()) << outcome.error->message;
  EXPECT_TRUE(response.ParseFromString(outcome.message));
  return response;
}

std::string Success(const std::string& result) {
  return R"({"success": true, "errors": [], "messages": [], "result": )" + result + "}";
}

TEST(ListPcaps, AsksForTheCapturesOfTheAccount) {
  EXPECT_EQ(kListPcaps.target(ListOf("023e105f4ecef8ad9ca31a8372d0c353")),
            "/accounts/023e105f4ecef8ad9ca31a8372d0c353/pcaps");
  EXPECT_EQ(kListPcaps.method, "GET");
  EXPECT_EQ(kListPcaps.effect, Effect::kReads);
}

TEST(ListPcaps, GivesCapturesInTheirOrderAndTheMessages) {
  const Outcome outcome = Parse(200, R"({"success": true, "messages": ["old"], "result": [
      {"type": "full", "id": "x", "color": "red", "status": "running"},
      {"type": "simple", "id": "a", "status": "success"}]})");
  EXPECT_THAT(Response(outcome), IsProto(R"(
    pcaps { full { id: "x" status: PCAP_STATUS_RUNNING }
            extra_fields { fields { key: "color" value { string_value: "red" } } } }
    pcaps { simple { id: "a" status: PCAP_STATUS_SUCCESS } }
    messages { message: "old" })"));
}

TEST(ListPcaps, MovesWhileAnyOfItsCapturesDoes) {
  EXPECT_EQ(Parse(200, Success("[]")).stage, Stage::kQuiet);
  EXPECT_EQ(Parse(200, Success(R"([{"type": "full", "status": "complete"},
                                   {"type": "simple", "status": "failed"}])"))
                .stage,
            Stage::kQuiet);
  EXPECT_EQ(Parse(200, Success(R"([{"type": "full", "status": "complete"},
                                   {"type": "simple", "status": "pending"}])"))
                .stage,
            Stage::kMoving);
  // Of no known form: it may be anything.
  EXPECT_EQ(Parse(200, Success("[{}]")).stage, Stage::kMoving);
}

// It may change as soon as the first of them does: the youngest counts, and the one that ends
// first.
TEST(ListPcaps, RunsAsTheMovingCaptureThatMayChangeFirst) {
  const auto run = Parse(200, Success(R"([
      {"type": "simple", "status": "success", "submitted": "2026-08-01T13:00:00Z"},
      {"type": "full", "status": "running", "submitted": "2026-08-01T10:00:00Z", "time_limit": 60},
      {"type": "full", "status": "running", "submitted": "2026-08-01T12:00:00Z",
       "time_limit": 7200}])"))
                       .run;
  EXPECT_EQ(absl::FormatTime(run.began, absl::UTCTimeZone()), "2026-08-01T12:00:00+00:00");
  EXPECT_EQ(absl::FormatTime(run.ends, absl::UTCTimeZone()), "2026-08-01T10:01:00+00:00");
  // One does not say when it began.
  EXPECT_EQ(Parse(200, Success(R"([{"type": "full", "status": "running"},
      {"type": "full", "status": "running", "submitted": "2026-08-01T12:00:00Z"}])"))
                .run.began,
            absl::InfinitePast());
}

TEST(ListPcaps, LosesNoElement) {
  EXPECT_THAT(Response(Parse(200, Success(R"([null, "odd", {"type": "simple", "id": "a"}, [1]])"))),
              IsProto(R"(
    pcaps { extra_fields { fields { key: "" value { string_value: "odd" } } } }
    pcaps { simple { id: "a" } }
    pcaps { extra_fields { fields { key: "" value { list_value { values { number_value: 1 } } } } } }
  )"));
}

// Go writes an empty list so.
TEST(ListPcaps, TakesNullForAnEmptyList) {
  EXPECT_THAT(Response(Parse(200, Success("null"))), IsProto(""));
}

TEST(ListPcaps, TakesNothingElseForAList) {
  for (const auto& [body, what] :
       {std::pair(R"({"success": true})", "without a result"),
        std::pair(R"({"success": true, "result": {"id": "x"}})",
                  "with a result that is not a list"),
        std::pair(R"({"success": true, "result": "x"})", "with a result that is not a list")}) {
    const Outcome outcome = Parse(200, body);
    ASSERT_FALSE(outcome.ok()) << body;
    EXPECT_EQ(outcome.error->reason, Reason::kUpstreamInvalidResponse);
    EXPECT_THAT(outcome.error->message, HasSubstr(what));
  }
}

TEST(ListPcaps, SaysThatThereIsNoSuchAccount) {
  const Outcome outcome =
      Parse(404, R"({"success": false, "errors": [{"code": 7003, "message": "no route"}]})");
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error->code, absl::StatusCode::kNotFound);
  EXPECT_EQ(outcome.error->reason, Reason::kAccountNotFound);
  EXPECT_THAT(outcome.error->message, HasSubstr("no such account"));
}

TEST(ListPcaps, ShowsSecretsOnlyWhereTold) {
  const std::string list =
      Success(R"([{"type": "full", "destination_conf": "r2://b?secret-access-key=s3cr3t"}])");
  EXPECT_EQ(Response(Parse(200, list)).pcaps(0).full().destination_conf(),
            "r2://b?secret-access-key=REDACTED");
  EXPECT_EQ(Response(Parse(200, list, {.reveal_destination_secrets = true}))
                .pcaps(0)
                .full()
                .destination_conf(),
            "r2://b?secret-access-key=s3cr3t");
}

}  // namespace
}  // namespace pcap_gateway
