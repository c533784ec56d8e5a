#include "service/endpoints/ownerships.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pcap/v1/pcap_ownership_service.pb.h"
#include "service/source/query.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using nlohmann::json;
using pcap::v1::CreateOwnershipResponse;
using pcap::v1::DeleteOwnershipResponse;
using pcap::v1::ListOwnershipsResponse;
using pcap::v1::ValidateOwnershipResponse;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPath[] = "/accounts/023e105f4ecef8ad9ca31a8372d0c353/pcaps/ownership";
constexpr char kNo[] = R"({"success": false, "errors": [{"code": 1, "message": "no"}]})";

Query QueryFor(const Endpoint& endpoint) {
  Query query;
  query.endpoint = &endpoint;
  query.account = *Id::Parse("023e105f4ecef8ad9ca31a8372d0c353");
  if (&endpoint == &kDeleteOwnership) {
    query.resource = *Id::Parse("9883874ecac311ec8475433579a6bf5f");
  }
  return query;
}

Outcome Parse(const Endpoint& endpoint, int status, const std::string& body,
              const ParseOptions& options = {}) {
  return endpoint.parse(QueryFor(endpoint),
                        {.status = status, .body = body, .content_type = "application/json"},
                        options);
}

std::string Result(const std::string& result) {
  return absl::StrCat(R"({"success": true, "errors": [], "messages": [], "result": )", result, "}");
}

template <typename Response>
Response ParsedAs(const Outcome& outcome) {
  EXPECT_TRUE(outcome.ok());
  Response response;
  EXPECT_TRUE(response.ParseFromString(outcome.message));
  return response;
}

// As in Cloudflare's documentation.
constexpr char kPending[] = R"({
    "id": "9883874ecac311ec8475433579a6bf5f",
    "destination_conf": "s3://pcaps-bucket/dir?region=us-east-1",
    "filename": "ownership-challenge-9883874ecac311ec8475433579a6bf5f.txt",
    "status": "pending", "submitted": "2020-01-01T08:00:00.25Z", "validated": ""})";

TEST(Ownerships, AreAskedForAsDocumented) {
  struct {
    const Endpoint& endpoint;
    const char* method;
    const char* rest;
    Effect effect;
    Reason not_found;
  } const cases[] = {
      {kListOwnerships, "GET", "", Effect::kReads, Reason::kAccountNotFound},
      {kCreateOwnership, "POST", "", Effect::kWritesOnce, Reason::kAccountNotFound},
      {kValidateOwnership, "POST", "/validate", Effect::kWritesOnce, Reason::kOwnershipNotFound},
      {kDeleteOwnership, "DELETE", "/9883874ecac311ec8475433579a6bf5f", Effect::kWritesOnce,
       Reason::kOwnershipNotFound},
  };
  for (const auto& expected : cases) {
    const Endpoint& endpoint = expected.endpoint;
    EXPECT_EQ(endpoint.method, expected.method) << endpoint.name;
    EXPECT_EQ(endpoint.target(QueryFor(endpoint)), absl::StrCat(kPath, expected.rest));
    EXPECT_EQ(endpoint.effect, expected.effect) << endpoint.name;
    EXPECT_EQ(Parse(endpoint, 404, kNo).error->reason, expected.not_found) << endpoint.name;
  }
}

TEST(Ownerships, AWriteOutdatesTheList) {
  for (const Endpoint* const endpoint :
       {&kCreateOwnership, &kValidateOwnership, &kDeleteOwnership}) {
    const std::vector<Subject> outdated = endpoint->outdates(QueryFor(*endpoint));
    ASSERT_EQ(outdated.size(), 1u) << endpoint->name;
    EXPECT_EQ(outdated[0], QueryFor(kListOwnerships).subject()) << endpoint->name;
  }
}

TEST(Ownerships, SendWhatIsAskedFor) {
  pcap::v1::CreateOwnershipRequest create;
  create.set_destination_conf("r2://b?account-id=1&secret-access-key=\"x");
  EXPECT_EQ(json::parse(*BodyOf(create)), json::parse(R"({
      "destination_conf": "r2://b?account-id=1&secret-access-key=\"x"})"));
  pcap::v1::ValidateOwnershipRequest validate;
  validate.set_destination_conf("s3://b");
  validate.set_ownership_challenge("proof");
  EXPECT_EQ(json::parse(*BodyOf(validate)),
            json::parse(R"({"destination_conf": "s3://b", "ownership_challenge": "proof"})"));
}

TEST(Ownerships, AreTyped) {
  constexpr char kTyped[] = R"(
      id: "9883874ecac311ec8475433579a6bf5f"
      destination_conf: "s3://pcaps-bucket/dir?region=us-east-1"
      filename: "ownership-challenge-9883874ecac311ec8475433579a6bf5f.txt"
      status: OWNERSHIP_STATUS_PENDING
      submitted { seconds: 1577865600 nanos: 250000000 })";
  EXPECT_THAT(ParsedAs<CreateOwnershipResponse>(Parse(kCreateOwnership, 200, Result(kPending))),
              IsProto(absl::StrCat("ownership {", kTyped, "}")));
  EXPECT_THAT(ParsedAs<ValidateOwnershipResponse>(Parse(kValidateOwnership, 200, Result(kPending))),
              IsProto(absl::StrCat("ownership {", kTyped, "}")));
  EXPECT_THAT(
      ParsedAs<ListOwnershipsResponse>(Parse(kListOwnerships, 200,
                                             Result(absl::StrCat("[", kPending,
                                                                 R"(, null, {"status": "success",
                                          "validated": "2020-01-01T08:05:00Z"},
                                  {"status": "failed"}])")))),
      IsProto(absl::StrCat("ownerships {", kTyped, R"(}
          ownerships { status: OWNERSHIP_STATUS_SUCCESS validated { seconds: 1577865900 } }
          ownerships { status: OWNERSHIP_STATUS_FAILED })")));
}

TEST(Ownerships, LoseNothing) {
  EXPECT_THAT(ParsedAs<ListOwnershipsResponse>(Parse(
                  kListOwnerships, 200, Result(R"([{"status": "odd", "id": 5, "validated": "soon",
                                    "submitted": "0001-01-01T00:00:00Z", "new": true,
                                    "key": {"secret-access-key": "s3cr3t"}}, "text"])"))),
              IsProto(R"(
      ownerships {
        extra_fields {
          fields { key: "status" value { string_value: "odd" } }
          fields { key: "id" value { number_value: 5 } }
          fields { key: "validated" value { string_value: "soon" } }
          fields { key: "new" value { bool_value: true } }
          fields { key: "key" value { struct_value {
            fields { key: "secret-access-key" value { string_value: "REDACTED" } } } } }
        }
      }
      ownerships { extra_fields { fields { key: "" value { string_value: "text" } } } })"));
}

TEST(Ownerships, HideTheBucketsKeysUnlessToldToShowThem) {
  constexpr char kBucket[] =
      R"({"destination_conf": "r2://b?account-id=1&access-key-id=AKIA&secret-access-key=s3cr3t"})";
  for (const auto& [endpoint, body] :
       {std::pair(&kListOwnerships, Result(absl::StrCat("[", kBucket, "]"))),
        std::pair(&kCreateOwnership, Result(kBucket)),
        std::pair(&kValidateOwnership, Result(kBucket))}) {
    const Outcome hidden = Parse(*endpoint, 200, body);
    ASSERT_TRUE(hidden.ok());
    EXPECT_THAT(hidden.message, HasSubstr("account-id=1&access-key-id=REDACTED"));
    EXPECT_THAT(hidden.message, Not(HasSubstr("s3cr3t")));
    const Outcome shown = Parse(*endpoint, 200, body, {.reveal_destination_secrets = true});
    EXPECT_THAT(shown.message, HasSubstr("s3cr3t"));
  }
  for (const Endpoint* const endpoint :
       {&kListOwnerships, &kCreateOwnership, &kValidateOwnership, &kDeleteOwnership}) {
    const Outcome refused = Parse(*endpoint, 400,
                                  R"({"success": false, "errors": [{"code": 1001, "message":
                                      "bad: r2://b?secret-access-key=s3cr3t"}]})",
                                  {.reveal_destination_secrets = true});
    EXPECT_THAT(refused.error->message, HasSubstr("r2://b?secret-access-key=REDACTED"));
  }
}

TEST(Ownerships, AListMovesWhileAProofIsLookedAt) {
  const auto stage = [](const std::string& list) {
    return Parse(kListOwnerships, 200, Result(list)).stage;
  };
  EXPECT_EQ(stage("[]"), Stage::kQuiet);
  EXPECT_EQ(stage("null"), Stage::kQuiet);
  EXPECT_EQ(stage(R"([{"status": "success"}, {"status": "failed"}])"), Stage::kQuiet);
  EXPECT_EQ(stage(R"([{"status": "success"}, {"status": "pending"}])"), Stage::kMoving);
  EXPECT_EQ(stage(R"([{"status": "odd"}])"), Stage::kMoving);
}

TEST(Ownerships, AListHasToBeOne) {
  for (const char* const body : {R"({"success": true})", R"({"success": true, "result": {}})"}) {
    EXPECT_EQ(Parse(kListOwnerships, 200, body).error->reason, Reason::kUpstreamInvalidResponse);
  }
}

// It was sent, and what came says nothing about what became of it.
TEST(Ownerships, AWriteWithoutCloudflaresWordHasAnUnknownOutcome) {
  for (const Endpoint* const endpoint :
       {&kCreateOwnership, &kValidateOwnership, &kDeleteOwnership}) {
    for (const auto& [status, body] :
         {std::pair(502, "<html>bad gateway</html>"), std::pair(504, ""),
          std::pair(524, R"({"title": "timeout"})")}) {
      EXPECT_EQ(Parse(*endpoint, status, body).error->reason, Reason::kOutcomeUnknown)
          << endpoint->name << status;
    }
    EXPECT_EQ(Parse(*endpoint, 409, kNo).error->reason, Reason::kUpstreamConflict);
    EXPECT_EQ(Parse(*endpoint, 200, kNo).error->reason, Reason::kUpstreamError);
  }
  for (const Endpoint* const endpoint : {&kCreateOwnership, &kValidateOwnership}) {
    for (const char* const body : {"", "<html>", R"({"success": true})"}) {
      EXPECT_EQ(Parse(*endpoint, 200, body).error->reason, Reason::kOutcomeUnknown)
          << endpoint->name << body;
    }
  }
}

TEST(Ownerships, ADeletionTakesAnyBodyOfASuccess) {
  for (const auto& [status, body] :
       {std::pair(204, ""), std::pair(200, ""), std::pair(200, "null"), std::pair(202, "<html>"),
        std::pair(200, R"({"success": true, "result": {"id": "x"}})")}) {
    EXPECT_TRUE(Parse(kDeleteOwnership, status, body).ok()) << status << body;
  }
  EXPECT_THAT(ParsedAs<DeleteOwnershipResponse>(
                  Parse(kDeleteOwnership, 200, R"({"success": true, "messages": ["gone"]})")),
              IsProto(R"(messages { message: "gone" })"));
}

}  // namespace
}  // namespace pcap_gateway
