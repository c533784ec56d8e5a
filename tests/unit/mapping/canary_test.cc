// No secret of a destination gets into an outcome, wherever in an answer Cloudflare puts it.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "service/endpoints/get_pcap.h"
#include "service/source/query.h"

namespace pcap_gateway {
namespace {

constexpr char kCanary[] = "CANARY";

// Everything of an outcome that anybody gets to see.
std::string Visible(const Outcome& outcome) {
  if (outcome.ok()) return outcome.message;
  const Error& error = *outcome.error;
  std::string text = absl::StrCat(error.message, "\n", error.documentation_url, "\n");
  for (const auto& [key, value] : error.metadata) absl::StrAppend(&text, key, "=", value, "\n");
  return text;
}

// Destinations with a secret, each in its own way.
const std::vector<std::string>& Destinations() {
  static const std::vector<std::string> destinations = {
      "r2://b?account-id=a&access-key-id=CANARY&secret-access-key=CANARY",
      "r2://b/dir?region=auto&Secret-Access-Key=CANARY",
      "R2://B?SECRET%2DACCESS%2DKEY=CANARY&x",
      "r2://b?CANARY",
      "r2://b?CANARY==",
      "r2://b?&&=CANARY",
      "r2://b?x=a=CANARY=",
      "r2://b?region=auto;secret-access-key=CANARY",
      "r2://b?region=a+CANARY",
      "r2://b?region=auto,r2://c?k=CANARY",
      "r2://b?account-id=a\\u0026secret-access-key=CANARY",
      "r2://b?account-id=a&amp;secret-access-key=CANARY",
      "r2://b?a=?b=CANARY",
      "r2://b?a=%26CANARY%3DCANARY",
      "r2://b?secret-access-key=\"CANARY\"&y=CANARY",
      "r2://b?secret-access-key='CANARY'",
      "r2://b?a=\xC3\xA9"
      "CANARY",
      "r2://b?http://u:CANARY@h?a=b",
      "r2://b#CANARY",
      "r2://b?x=1#CANARY",
      "s3://CANARY@b/dir",
      "s3://AKIA:CANARY@b/dir?region=eu",
      "s3://AKIA:CAN/CANARY@b/dir",
      "s3://AKIA:/CANARY@b",
      "s3://AKIA:CANARY/x",
      "s3://AKIA:CANARY?x@b",
      "https://a/b/s3://AKIA:CANARY@b",
      "r2://b%3Fsecret-access-key%3DCANARY",
      "r2%3A%2F%2Fb%3Fsecret-access-key%3DCANARY",
      "r2://b&secret-access-key=CANARY",
      "b?secret-access-key=CANARY",
      "secret-access-key=CANARY",
      "access_key_id = CANARY",
      "{\"secretAccessKey\": \"CANARY\"}",
      "{\\\"secretAccessKey\\\":\\\"CANARY\\\"}",
      "secret access key: CANARY",
      "%73ecret-access-key=CANARY",
      "secret%2Daccess%2D%6Bey=CANARY",
      "secret%252Daccess%252D%256Bey%253DCANARY",
      "r2://b%253Fsecret-access-key%253DCANARY",
      "r2%253A%252F%252Fb%253Fsecret-access-key%253DCANARY",
      "SECRET-ACCESS-KEY%253dCANARY",
  };
  return destinations;
}

// Where in an answer a destination may turn up; `$` stands for it.
struct Place {
  int status;
  std::string body;
};

const std::vector<Place>& Places() {
  static const std::vector<Place> places = [] {
    std::vector<Place> result;
    for (const std::string head : {R"("type": "full")", R"("type": "simple")", R"("type": "new")",
                                   R"("type": ["full"])", R"("type": null, "offset_time": "")"}) {
      for (const std::string field :
           {R"("destination_conf": "$")",
            R"("destination_conf": ["$"])",
            R"("destination_conf": {"uri": "$"})",
            R"("destination_conf": {"x": [[{"y": "$"}]]})",
            R"("destination_conf": {"key": "CANARY", "account-id": "no, CANARY"})",
            R"("destination_conf": {"$": 1})",
            R"("error_message": "cannot write to $: denied")",
            R"("error_message": "$")",
            R"("error_message": ["$"])",
            R"("colo_name": "$")",
            R"("byte_limit": "$")",
            R"("stop_requested": "$")",
            R"("status": "$")",
            R"("system": "$")",
            R"("id": "$")",
            R"("time_limit": "$")",
            R"("filter_v1": "$")",
            R"("filter_v1": {"source_address": "$"})",
            R"("filter_v1": {"x": "$", "$": "$"})",
            R"("filter_v1": {"destination_conf": "$"})",
            R"("new_in_2030": "at $ and $, \"$\"")",
            R"("$": "x")",
            R"("x": {"secret_access_key": "CANARY", "AccessKeyId": [5, "CANARY"]})",
            R"("bucket": {"destination_conf": {"a": ["$"]}})"}) {
        result.push_back({200, R"({"success": true, "result": {)" + head + ", " + field + "}}"});
      }
    }
    for (const std::string list :
         {R"(["$"])", R"("$")", R"({"message": "$"})", R"([{"code": 1, "message": "see $ ..."}])",
          R"([{"documentation_url": "https://developers.cloudflare.com/$"}])",
          R"([{"documentation_url": "$"}])", R"([{"source": {"pointer": "$"}}])",
          R"([{"source": "$"}])", R"([{"code": "$", "error_chain": [{"message": "$"}]}])",
          R"([[["$"]]])"}) {
      result.push_back({200, R"({"success": true, "result": {}, "messages": )" + list + "}"});
      for (const int status : {200, 400, 401, 403, 404, 409, 429, 500, 302}) {
        result.push_back({status, R"({"success": false, "errors": )" + list + "}"});
      }
    }
    for (const int status : {200, 404, 502}) {
      result.push_back({status, "<html>$</html>"});
      result.push_back({status, R"({"success": true, "result": {"destination_conf": "$")"});
      result.push_back({status, R"({"x": "$"})"});
      result.push_back({status, R"({"title": "$", "detail": "no $", "error_code": "$"})"});
      result.push_back({status, R"({"error": {"message": "$"}, "message": "$"})"});
    }
    return result;
  }();
  return places;
}

// About no capture in particular: most places have no id.
const Query kAsked = [] {
  Query query;
  query.endpoint = &kGetPcap;
  return query;
}();

std::string AsJson(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}});
}

TEST(Canary, IsInNoOutcome) {
  for (const Place& place : Places()) {
    for (const std::string& destination : Destinations()) {
      const std::string body = absl::StrReplaceAll(place.body, {{"$", AsJson(destination)}});
      const HttpAnswer answer{.status = place.status, .body = body, .content_type = "text/html"};
      const Outcome outcome = kGetPcap.parse(kAsked, answer, {});
      EXPECT_FALSE(absl::StrContains(Visible(outcome), kCanary)) << place.status << " " << body;
    }
  }
}

TEST(Canary, IsInNoErrorEvenWhenAnswersRevealSecrets) {
  for (const Place& place : Places()) {
    for (const std::string& destination : Destinations()) {
      const std::string body = absl::StrReplaceAll(place.body, {{"$", AsJson(destination)}});
      const Outcome outcome = kGetPcap.parse(kAsked, {.status = place.status, .body = body},
                                             {.reveal_destination_secrets = true});
      if (outcome.ok()) continue;
      EXPECT_FALSE(absl::StrContains(Visible(outcome), kCanary)) << place.status << " " << body;
    }
  }
}

// The test above would pass if nothing ever got through.
TEST(Canary, IsInAnswersThatRevealSecrets) {
  const std::string body = R"({"success": true, "result": {"destination_conf": "r2://b?CANARY"}})";
  const HttpAnswer answer{.status = 200, .body = body};
  EXPECT_TRUE(absl::StrContains(
      Visible(kGetPcap.parse(kAsked, answer, {.reveal_destination_secrets = true})), kCanary));
}

}  // namespace
}  // namespace pcap_gateway
