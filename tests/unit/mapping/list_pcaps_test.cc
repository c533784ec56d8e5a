#include "service/endpoints/list_pcaps.h"

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pcap/v1/pcap_service.pb.h"
#include "service/endpoints/get_pcap.h"
#include "service/source/query.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using pcap::v1::ListPcapsResponse;
using ::testing::HasSubstr;

Id IdFrom(absl::string_view text) { return Id::Parse(text).value_or(Id()); }

Query ListOf(const std::string& account) {
  Query query;
  query.endpoint = &kListPcaps;
  query.account = IdFrom(account);
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

constexpr char kTwo[] = R"([
    {"type": "full", "id": "7D7C88382F2B4A2B9F1B8F0FA6D1D7A1", "status": "running",
     "b": 1, "a": 2, "d": 3, "c": 4, "f": 5, "e": 6},
    {"type": "simple", "id": "66802ca5668e47a2b82c2e6746e45037", "status": "success"}])";

TEST(ListPcaps, HasAPartForEachCapture) {
  const Outcome list = Parse(200, Success(kTwo));
  const std::vector<Part> parts = kListPcaps.parts(list);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].resource, IdFrom("7d7c88382f2b4a2b9f1b8f0fa6d1d7a1"));
  EXPECT_EQ(parts[0].outcome->stage, Stage::kMoving);
  EXPECT_EQ(parts[1].outcome->stage, Stage::kFinal);
  pcap::v1::GetPcapResponse response;
  ASSERT_TRUE(response.ParseFromString(parts[1].outcome->message));
  EXPECT_THAT(response, IsProto(R"(
    pcap { simple { id: "66802ca5668e47a2b82c2e6746e45037" status: PCAP_STATUS_SUCCESS } })"));
  // A watcher is sent these bytes.
  pcap::v1::WatchPcapsResponse watched;
  ASSERT_TRUE(watched.ParseFromString(parts[1].outcome->message));
  EXPECT_TRUE(watched.GetReflection()->GetUnknownFields(watched).empty());
  EXPECT_EQ(watched.pcap().simple().id(), "66802ca5668e47a2b82c2e6746e45037");
}

// Whose extra_fields is a map, which has no order of its own.
TEST(ListPcaps, SaysTheSameInTheSameBytes) {
  const std::string first = kListPcaps.parts(Parse(200, Success(kTwo)))[0].outcome->message;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(kListPcaps.parts(Parse(200, Success(kTwo)))[0].outcome->message, first);
  }
}

TEST(ListPcaps, APartOfNoKnownFormHasItsIdAllTheSame) {
  const auto parts = kListPcaps.parts(
      Parse(200, Success(R"([{"id": "66802ca5668e47a2b82c2e6746e45037"}, {"id": 7}, "odd"])")));
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].resource, IdFrom("66802ca5668e47a2b82c2e6746e45037"));
  EXPECT_EQ(parts[1].resource, Id());
  EXPECT_EQ(parts[2].resource, Id());
}

TEST(ListPcaps, IsMadeAnewWithOtherParts) {
  const Outcome list = Parse(200, R"({"success": true, "messages": ["old"], "result": [
      {"type": "full", "id": "7d7c88382f2b4a2b9f1b8f0fa6d1d7a1", "status": "running"},
      {"type": "simple", "id": "66802ca5668e47a2b82c2e6746e45037", "status": "success"}]})");
  std::vector<Part> parts = kListPcaps.parts(list);
  const Outcome same = kListPcaps.with_parts(list, parts);
  EXPECT_EQ(same.message, list.message);
  EXPECT_EQ(same.stage, Stage::kMoving);
  EXPECT_EQ(same.http_status, 200);

  Query query;
  query.endpoint = &kGetPcap;
  query.resource = parts[0].resource;
  const Outcome capture =
      kGetPcap.parse(query,
                     {.status = 200,
                      .body = R"({"success": true, "messages": ["new"], "result":
           {"type": "full", "id": "7d7c88382f2b4a2b9f1b8f0fa6d1d7a1", "status": "complete"}})",
                      .content_type = "application/json"},
                     {});
  parts[0].outcome = kGetPcap.parts(capture).at(0).outcome;
  const Outcome other = kListPcaps.with_parts(list, parts);
  EXPECT_EQ(other.stage, Stage::kQuiet);
  EXPECT_THAT(Response(other), IsProto(R"(
    pcaps { full { id: "7d7c88382f2b4a2b9f1b8f0fa6d1d7a1" status: PCAP_STATUS_COMPLETE } }
    pcaps { simple { id: "66802ca5668e47a2b82c2e6746e45037" status: PCAP_STATUS_SUCCESS } }
    messages { message: "old" })"));
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
