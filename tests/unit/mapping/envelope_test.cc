#include "service/mapping/envelope.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/mapping/proto_matchers.h"

namespace pcap_gateway {
namespace {

using Kind = Envelope::Kind;
using pcap::v1::GetPcapResponse;

Kind KindOf(const std::string& json) { return ReadEnvelope(Parsed(json).root()).kind; }

// A response with the entries of `list` as its messages.
GetPcapResponse WithMessages(const std::string& list, Secrets secrets = Secrets::kHide) {
  const JsonDocument document = Parsed(list);
  GetPcapResponse response;
  AppendInfos(&document.root(), secrets, *response.mutable_messages());
  return response;
}

TEST(Envelope, GivesItsParts) {
  const JsonDocument document =
      Parsed(R"({"errors": [1], "messages": [2], "result": {"id": "x"}, "success": true})");
  const Envelope envelope = ReadEnvelope(document.root());
  EXPECT_EQ(envelope.kind, Kind::kSuccess);
  EXPECT_EQ(envelope.result, document.root().Find("result"));
  EXPECT_EQ(envelope.errors, document.root().Find("errors"));
  EXPECT_EQ(envelope.messages, document.root().Find("messages"));
}

TEST(Envelope, LacksPartsThatAreNull) {
  const JsonDocument document =
      Parsed(R"({"errors": null, "messages": null, "result": null, "success": true})");
  const Envelope envelope = ReadEnvelope(document.root());
  EXPECT_EQ(envelope.kind, Kind::kSuccess);
  EXPECT_EQ(envelope.result, nullptr);
  EXPECT_EQ(envelope.errors, nullptr);
  EXPECT_EQ(envelope.messages, nullptr);
}

TEST(Envelope, SaysWhetherTheCallFailed) {
  const std::pair<std::string, Kind> cases[] = {
      {R"({"success": true, "result": {}})", Kind::kSuccess},
      {R"({"success": true})", Kind::kSuccess},
      {R"({"success": true, "result": {}, "errors": [{"code": 1}]})", Kind::kSuccess},
      {R"({"success": true, "result": null, "errors": [{"code": 1}]})", Kind::kFailure},
      {R"({"success": false, "result": {}})", Kind::kFailure},
      {R"({"success": false, "result": {}, "errors": null})", Kind::kFailure},
      {R"({"success": "false", "result": {}})", Kind::kFailure},
      {R"({"success": "False", "result": {}})", Kind::kFailure},
      {R"({"success": 0, "result": {}})", Kind::kFailure},
      {R"({"success": "true", "result": {}})", Kind::kSuccess},
      {R"({"success": 1, "result": {}})", Kind::kSuccess},
      // It says nothing: the errors decide.
      {R"({"result": {}})", Kind::kSuccess},
      {R"({"result": {}, "errors": []})", Kind::kSuccess},
      {R"({"result": {}, "errors": {}})", Kind::kSuccess},
      {R"({"result": {}, "errors": [null, ""]})", Kind::kSuccess},
      {R"({"result": {}, "errors": ["no"]})", Kind::kFailure},
      {R"({"result": {}, "errors": "no"})", Kind::kFailure},
      {R"({"success": null, "result": {}, "errors": [{"code": 1}]})", Kind::kFailure},
      {R"({"success": "maybe", "result": {}, "errors": {"code": 1}})", Kind::kFailure},
      {R"({"success": [], "result": {}})", Kind::kSuccess},
      {R"({"errors": [{"code": 1}]})", Kind::kFailure},
      // No envelope at all.
      {R"({})", Kind::kNone},
      {R"({"errors": [], "messages": []})", Kind::kNone},
      {R"({"id": "x", "status": "success"})", Kind::kNone},
      {R"([{"success": true, "result": {}}])", Kind::kNone},
      {R"("success")", Kind::kNone},
      {"null", Kind::kNone},
      {"true", Kind::kNone},
  };
  for (const auto& [json, kind] : cases) EXPECT_EQ(KindOf(json), kind) << json;
}

TEST(AppendInfos, MapsEveryPartOfAnEntry) {
  EXPECT_THAT(WithMessages(
                  R"([{"code": 1000, "message": "a",
                                "documentation_url": "https://a.cloudflare.com/#e-1",
                                "source": {"pointer": "/b/0"}}, {"code": 1001}])"),
              IsProto(R"(
    messages { code: 1000 message: "a" documentation_url: "https://a.cloudflare.com/#e-1"
               source_pointer: "/b/0" }
    messages { code: 1001 })"));
}

TEST(AppendInfos, TakesEntriesOfAnyShape) {
  const std::pair<std::string, std::string> cases[] = {
      {"null", ""},
      {"[]", ""},
      {"{}", ""},
      {R"("")", ""},
      {"5", ""},
      {"true", ""},
      {R"("plain")", R"(messages { message: "plain" })"},
      {R"(["one", "two"])", R"(messages { message: "one" } messages { message: "two" })"},
      {R"({"code": 5})", "messages { code: 5 }"},
      {R"([null, true, [], ["x"], {}, "", "y", 7])",
       R"(messages { message: "y" } messages { code: 7 })"},
      {R"([{"code": "1000", "message": 5}])", R"(messages { code: 1000 message: "5" })"},
      {R"([{"code": 1.5, "message": "a"}])", R"(messages { message: "a" })"},
      {R"([{"code": null, "message": null, "source": null}])", "messages {}"},
      {R"([{"code": {}, "message": [], "documentation_url": 1, "source": 2}])", "messages {}"},
      {R"([{"source": {"pointer": 1}}, {"source": {}}, {"source": "/x"}])",
       R"(messages {} messages {} messages { source_pointer: "/x" })"},
      {R"([{"message": ""}])", R"(messages { message: "" })"},
      {R"([{"new_in_2030": 1}])", "messages {}"},
  };
  for (const auto& [json, expected] : cases) {
    EXPECT_THAT(WithMessages(json), IsProto(expected)) << json;
  }
}

TEST(AppendInfos, AddsTheChainBehindAnEntry) {
  EXPECT_THAT(WithMessages(R"([{"code": 6003, "message": "Invalid request headers", "error_chain":
                  [{"code": 6111, "message": "Invalid format for Authorization header"}]}, "x"])"),
              IsProto(R"(
    messages { code: 6003 message: "Invalid request headers" }
    messages { code: 6111 message: "Invalid format for Authorization header" }
    messages { message: "x" })"));
}

TEST(AppendInfos, StopsAtTheMost) {
  const JsonDocument document = Parsed(R"([1, {"code": 2, "error_chain": [3, 4]}, 5])");
  GetPcapResponse response;
  AppendInfos(&document.root(), Secrets::kHide, *response.mutable_messages(), 3);
  EXPECT_THAT(response, IsProto("messages { code: 1 } messages { code: 2 } messages { code: 3 }"));
  GetPcapResponse none;
  AppendInfos(nullptr, Secrets::kHide, *none.mutable_messages());
  EXPECT_THAT(none, IsProto(""));
}

TEST(AppendInfos, HidesSecretsUnlessTold) {
  const std::string json = R"(["to r2://b?x=k", {"message": "r2://b?x=k",
      "documentation_url": "https://d?x=k#k k", "source": {"pointer": "r2://b?x=k"}},
      {"documentation_url": "https://cloudflare.com.evil/#head-1"},
      {"documentation_url": "https://api.cloudflare.com/?x=k#head-1"}])";
  EXPECT_THAT(WithMessages(json), IsProto(R"(
    messages { message: "to r2://b?x=REDACTED" }
    messages { message: "r2://b?x=REDACTED" documentation_url: "https://d?x=REDACTED#REDACTED k"
               source_pointer: "r2://b?x=REDACTED" }
    messages { documentation_url: "https://cloudflare.com.evil/#REDACTED" }
    messages { documentation_url: "https://api.cloudflare.com/?x=REDACTED#head-1" })"));
  EXPECT_THAT(WithMessages(json, Secrets::kReveal), IsProto(R"(
    messages { message: "to r2://b?x=k" }
    messages { message: "r2://b?x=k" documentation_url: "https://d?x=k#k k"
               source_pointer: "r2://b?x=k" }
    messages { documentation_url: "https://cloudflare.com.evil/#head-1" }
    messages { documentation_url: "https://api.cloudflare.com/?x=k#head-1" })"));
}

}  // namespace
}  // namespace pcap_gateway
