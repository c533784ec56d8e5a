#include "service/mapping/error_from_http.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pcap_gateway {
namespace {

using absl::StatusCode;
using Owner = Credential::Owner;
using ::testing::_;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Optional;
using ::testing::Pair;

const absl::Time kNow =
    absl::FromCivil(absl::CivilSecond(2026, 8, 1, 12, 0, 0), absl::UTCTimeZone());

constexpr char kNotFound[] =
    R"({"success": false, "errors": [{"code": 10003, "message": "PCAP not found"}],
        "result": null})";

std::optional<Error> ErrorIn(const HttpAnswer& answer, Owner owner = Owner::kGateway) {
  const JsonDocument document = JsonDocument::Parse(answer.body);
  return ErrorFromHttp(answer, document, ReadEnvelope(document.root()),
                       {.owner = owner, .now = kNow});
}

// The error of an answer that must have one.
Error TheError(int status, const std::string& body, Owner owner = Owner::kGateway,
               const std::string& retry_after = "") {
  HttpAnswer answer{.status = status, .body = body, .content_type = "application/json"};
  answer.retry_after = retry_after;
  std::optional<Error> error = ErrorIn(answer, owner);
  EXPECT_TRUE(error.has_value()) << status << " " << body;
  return error.has_value() ? *std::move(error)
                           : Error(StatusCode::kUnknown, Reason::kInternal, "none");
}

struct Row {
  int status;
  StatusCode code;
  Reason reason;
};

TEST(ErrorFromHttp, FollowsTheContractsTable) {
  const Row rows[] = {
      {400, StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest},
      {402, StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest},
      {404, StatusCode::kNotFound, Reason::kPcapNotFound},
      {405, StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest},
      {408, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {409, StatusCode::kAborted, Reason::kUpstreamConflict},
      {410, StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest},
      {422, StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest},
      {425, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {429, StatusCode::kResourceExhausted, Reason::kRateLimited},
      {499, StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest},
      {300, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {302, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {304, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {500, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {502, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {503, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {520, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
      {599, StatusCode::kUnavailable, Reason::kUpstreamUnavailable},
  };
  // An envelope of any shape will do: the status decides.
  for (const std::string& body :
       {std::string(kNotFound), std::string(R"({"success": true})"),
        std::string(R"({"errors": []})"), std::string(R"({"success": "no", "errors": null})"),
        std::string(R"({"errors": "odd"})")}) {
    for (const Row& row : rows) {
      for (const Owner owner : {Owner::kGateway, Owner::kCaller}) {
        const Error error = TheError(row.status, body, owner);
        EXPECT_EQ(error.code, row.code) << row.status << " " << body;
        EXPECT_EQ(error.reason, row.reason) << row.status << " " << body;
      }
    }
  }
}

TEST(ErrorFromHttp, BlamesTheOwnerOfACredentialThatIsRejected) {
  EXPECT_EQ(TheError(401, kNotFound, Owner::kCaller).code, StatusCode::kUnauthenticated);
  EXPECT_EQ(TheError(401, kNotFound, Owner::kCaller).reason, Reason::kUpstreamUnauthenticated);
  EXPECT_EQ(TheError(403, kNotFound, Owner::kCaller).code, StatusCode::kPermissionDenied);
  EXPECT_EQ(TheError(403, kNotFound, Owner::kCaller).reason, Reason::kUpstreamPermissionDenied);
  EXPECT_EQ(TheError(401, kNotFound, Owner::kGateway).code, StatusCode::kInternal);
  EXPECT_EQ(TheError(401, kNotFound, Owner::kGateway).reason, Reason::kUpstreamCredentialsRejected);
  // That the account is another's is no fault of the gateway.
  EXPECT_EQ(TheError(403, kNotFound, Owner::kGateway).code, StatusCode::kPermissionDenied);
  EXPECT_EQ(TheError(403, kNotFound, Owner::kGateway).reason, Reason::kUpstreamAccountDenied);
}

TEST(ErrorFromHttp, TakesA400OfAMalformedOrUnknownCredentialForA401) {
  const auto with = [](const std::string& errors) {
    return R"({"success": false, "result": null, "errors": )" + errors + "}";
  };
  std::string far = R"({"code": 6111})";
  for (int i = 0; i < 10; ++i) far = R"({"code": 1000, "error_chain": [)" + far + "]}";
  for (const std::string& body :
       {with(R"([{"code": 6003, "error_chain": [{"code": 6103}]}])"), with(R"([{"code": 6003}])"),
        with(R"([{"code": 1000, "error_chain": [{"code": 6111}]}])"), with("[" + far + "]"),
        with(R"([{"code": 9106}])"), with(R"([{"code": "10000"}])"), with("[10001]"),
        with(R"([{"code": 7003}, {"code": 1}, {"code": 2}, {"code": 3}, {"code": 10000}])")}) {
    const Error gateways = TheError(400, body, Owner::kGateway);
    EXPECT_EQ(gateways.code, StatusCode::kInternal) << body;
    EXPECT_EQ(gateways.reason, Reason::kUpstreamCredentialsRejected) << body;
    EXPECT_THAT(gateways.message, HasSubstr("the gateway's own credential (HTTP 400)"));
    const Error callers = TheError(400, body, Owner::kCaller);
    EXPECT_EQ(callers.code, StatusCode::kUnauthenticated) << body;
    EXPECT_EQ(callers.reason, Reason::kUpstreamUnauthenticated) << body;
  }
  // Others' codes, and other statuses, say what they say.
  EXPECT_EQ(TheError(400, with(R"([{"code": 9109}, {"code": 7003}])")).reason,
            Reason::kUpstreamBadRequest);
  EXPECT_EQ(TheError(400, with(R"(["10000"])")).reason, Reason::kUpstreamBadRequest);
  EXPECT_EQ(TheError(404, with(R"([{"code": 10000}])")).reason, Reason::kPcapNotFound);
  EXPECT_EQ(TheError(503, with(R"([{"code": 10000}])")).reason, Reason::kUpstreamUnavailable);
}

TEST(ErrorFromHttp, SaysWhatItDeniesTheCredential) {
  const auto failure = [](int code) {
    return R"({"success": false, "result": null, "errors": [{"code": )" + std::to_string(code) +
           R"(, "message": "no"}]})";
  };
  for (const Owner owner : {Owner::kGateway, Owner::kCaller}) {
    EXPECT_EQ(TheError(401, failure(10000), owner).denies, Denies::kEverything);
    EXPECT_EQ(TheError(403, failure(10000), owner).denies, Denies::kAccount);
    for (const int code : {6003, 6103, 6111, 9103, 9106, 10000, 10001}) {
      EXPECT_EQ(TheError(200, failure(code), owner).denies, Denies::kEverything) << code;
      EXPECT_EQ(TheError(400, failure(code), owner).denies, Denies::kEverything) << code;
    }
    EXPECT_EQ(TheError(200, failure(9109), owner).denies, Denies::kAccount);
    for (const int code : {1000, 7003, 9109, 10100}) {
      EXPECT_EQ(TheError(400, failure(code), owner).denies, Denies::kNothing) << code;
    }
    for (const int status : {400, 404, 409, 429, 500, 503}) {
      EXPECT_EQ(TheError(status, failure(4711), owner).denies, Denies::kNothing) << status;
    }
    for (const int status : {400, 503}) {
      EXPECT_EQ(TheError(status, "<html>10000</html>", owner).denies, Denies::kNothing) << status;
    }
    EXPECT_EQ(TheError(500, failure(10000), owner).denies, Denies::kNothing);
  }
}

TEST(ErrorFromHttp, TakesAnErrorStatusWithoutTheEnvelopeForAProxysWord) {
  for (const std::string& body :
       {std::string(), std::string("<html>nginx</html>"), std::string("error code: 1015"),
        std::string(R"({"success": fal)"), std::string("\xFF\xFE{}"), std::string("{}"),
        std::string("[]"), std::string("null"), std::string("401"), std::string(100, '['),
        std::string(R"([{"success": false, "errors": []}])"),
        std::string(R"({"result": {"id": "x"}, "messages": []})"),
        std::string(R"({"success": null, "errors": null})"),
        std::string(R"({"data": {"success": false}})"),
        std::string(R"({"Success": false, "Errors": []})"),
        std::string(R"({"error": "unauthorized"})"), std::string(R"({"message": "no"})"),
        std::string(R"({"title": "Error 1020: Access denied", "status": 403})")}) {
    for (const int status : {400, 401, 403, 404, 405, 408, 409, 410, 422, 302, 500, 503}) {
      for (const Owner owner : {Owner::kGateway, Owner::kCaller}) {
        const Error error = TheError(status, body, owner);
        EXPECT_EQ(error.code, StatusCode::kUnavailable) << status << body;
        EXPECT_EQ(error.reason, Reason::kUpstreamUnavailable) << status << body;
        EXPECT_THAT(error.message, Not(HasSubstr("credential"))) << status << body;
      }
    }
    EXPECT_EQ(TheError(429, body).code, StatusCode::kResourceExhausted);
    EXPECT_EQ(TheError(429, body).retry_after, kDefaultRetryAfter);
  }
}

TEST(ErrorFromHttp, TellsWhatJsonThatIsNoEnvelopeSays) {
  const auto told = [](const std::string& body) {
    const std::string message = TheError(403, body).message;
    const std::string start = absl::StrCat(
        "Cloudflare cannot answer now (HTTP 403): the body is not the API's envelope "
        "(application/json, ",
        body.size(), " bytes)");
    EXPECT_TRUE(absl::StartsWith(message, start)) << message;
    return message.substr(std::min(start.size(), message.size()));
  };
  EXPECT_EQ(told(R"({"type": "https://developers.cloudflare.com/1xxx", "status": 403,
                     "title": "Error 1020: Access denied", "error_code": 1020,
                     "detail": "The owner has banned you"})"),
            ": Error 1020: Access denied (1020); The owner has banned you");
  EXPECT_EQ(told(R"({"error_code": 1015})"), ": error 1015");
  EXPECT_EQ(told(R"({"error_code": "E1"})"), ": error E1");
  EXPECT_EQ(told(R"({"message": "no upstream", "title": 5})"), ": no upstream");
  EXPECT_EQ(told(R"({"error": "denied", "message": "denied"})"), ": denied");
  EXPECT_EQ(told(R"({"error": {"code": 403, "message": "denied"}})"), ": denied");
  for (const std::string body : {"{}", "[]", R"({"title": ""})", R"({"title": {"a": 1}})"}) {
    EXPECT_EQ(told(body), "");
  }
  // As little as of an envelope's errors, and as clean.
  const std::string hostile =
      told(R"({"title": "<b>no</b>\r\n\u001b[31m r2://b?secret-access-key=s3cr3t", "message": ")" +
           std::string(100'000, 'x') + R"(", "error_code": ")" + std::string(1000, '9') + R"("})");
  EXPECT_LE(hostile.size(), 202u);
  EXPECT_THAT(hostile, AllOf(HasSubstr("secret-access-key=REDACTED"), Not(HasSubstr("s3cr3t")),
                             Not(HasSubstr("\x1B")), Not(HasSubstr("<b>"))));
  const Error error = TheError(403, R"({"title": "Access denied", "error_code": 1020})");
  EXPECT_THAT(error.metadata,
              ElementsAre(Pair("httpStatus", "403"), Pair("contentType", "application/json"),
                          Pair("bodyBytes", _), Pair("upstreamCode", "1020"),
                          Pair("upstreamMessage", "Access denied (1020)")));
}

TEST(ErrorFromHttp, TellsTheCodeInTheEdgesPlainText) {
  HttpAnswer answer{
      .status = 403, .body = "error code: 1010\n", .content_type = "text/plain; charset=UTF-8"};
  const Error error = *ErrorIn(answer);
  EXPECT_EQ(error.message,
            "Cloudflare cannot answer now (HTTP 403): the body is not JSON (text/plain, 17 bytes): "
            "error 1010");
  EXPECT_THAT(error.metadata, Contains(Pair("upstreamCode", "1010")));
  for (const std::string body :
       {"error code: ", "error code: 123456789", "error code: 10x", "error code: 1 <b>", "1010"}) {
    answer.body = body;
    EXPECT_TRUE(absl::EndsWith(ErrorIn(answer)->message, " bytes)")) << body;
  }
}

TEST(ErrorFromHttp, SaysThatThePageIsAChallengeOfTheEdge) {
  HttpAnswer answer{.status = 403,
                    .body = "<html>Just a moment...</html>",
                    .content_type = "text/html",
                    .cf_mitigated = "challenge"};
  const Error error = *ErrorIn(answer);
  EXPECT_EQ(error.reason, Reason::kUpstreamUnavailable);
  EXPECT_EQ(error.message,
            "Cloudflare cannot answer now (HTTP 403): the body is not JSON (text/html, 29 bytes); "
            "it is a challenge of Cloudflare's edge");
  EXPECT_THAT(error.metadata, Contains(Pair("cfMitigated", "challenge")));
  answer.cf_mitigated = "\x1B[31m";
  EXPECT_TRUE(absl::EndsWith(ErrorIn(answer)->message, "29 bytes)"));
}

TEST(ErrorFromHttp, SaysWhichCodingABodyIsInThatNobodyAskedToCode) {
  HttpAnswer answer{.status = 200, .body = "\x1F\x8B\x08", .content_type = "application/json"};
  answer.content_encoding = "GZIP";
  Error error = *ErrorIn(answer);
  EXPECT_EQ(error.code, StatusCode::kInternal);
  EXPECT_EQ(error.reason, Reason::kUpstreamInvalidResponse);
  EXPECT_EQ(error.message,
            "Cloudflare answered HTTP 200 with a body that is in the coding gzip, which was not "
            "asked for (application/json, 3 bytes)");
  EXPECT_THAT(error.metadata, Contains(Pair("contentEncoding", "gzip")));
  for (const int status : {403, 404, 502}) {
    answer.status = status;
    error = *ErrorIn(answer);
    EXPECT_EQ(error.code, StatusCode::kUnavailable);
    EXPECT_THAT(error.message, HasSubstr("): the body is in the coding gzip, which was not asked "
                                         "for (application/json, 3 bytes)"));
  }
  answer.content_encoding = "br, gzip";
  EXPECT_THAT(ErrorIn(answer)->message, HasSubstr("in the coding br, gzip, which"));
  answer.content_encoding = "\x1B[31m<b>";
  EXPECT_THAT(ErrorIn(answer)->message, HasSubstr("in the coding unknown, which"));
  answer.content_encoding = "Identity";
  EXPECT_THAT(ErrorIn(answer)->message, HasSubstr("the body is not JSON ("));
  // A header that is wrong is no harm.
  EXPECT_EQ(ErrorIn({.status = 200,
                     .body = R"({"success": true, "result": {}})",
                     .content_encoding = "gzip"}),
            std::nullopt);
}

TEST(ErrorFromHttp, SeesNoErrorInASuccess) {
  for (const int status : {200, 201, 202, 299}) {
    EXPECT_EQ(ErrorIn({.status = status, .body = R"({"success": true, "result": {}})"}),
              std::nullopt);
  }
}

TEST(ErrorFromHttp, RefusesASuccessThatIsNotTheEnvelope) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "without a body"},
      {"<html>hello</html>", "with a body that is not JSON (application/json, 18 bytes)"},
      {R"({"success": true)", "with a body that is not JSON (application/json, 16 bytes)"},
      {R"({"success": true, "result": {}} x)", "not JSON"},
      {"{\"success\": true, \"result\": \"\xFF\"}", "not JSON"},
      {R"({"success": true, "result": NaN})", "not JSON"},
      {std::string(10'000, '['), "with JSON nested deeper than 32"},
      {"{}", "with JSON that is not its response envelope"},
      {R"({"id": "x"})", "with JSON that is not its response envelope"},
      {"[]", "with JSON that is not its response envelope"},
      {"null", "with JSON that is not its response envelope"},
  };
  for (const int status : {200, 204, 206}) {
    for (const auto& [body, what] : cases) {
      const Error error = TheError(status, body);
      EXPECT_EQ(error.code, StatusCode::kInternal) << body;
      EXPECT_EQ(error.reason, Reason::kUpstreamInvalidResponse) << body;
      EXPECT_THAT(error.message, HasSubstr(what));
      EXPECT_THAT(error.message, HasSubstr("HTTP " + std::to_string(status)));
      EXPECT_EQ(error.retry_after, std::nullopt);
    }
  }
}

TEST(ErrorFromHttp, GoesByKnownCodesWhenA200SaysNoSuccess) {
  const auto body = [](const std::string& errors) {
    return R"({"success": false, "result": {"id": "x"}, "errors": )" + errors + "}";
  };
  const std::pair<std::string, Row> cases[] = {
      {R"([{"code": 10000, "message": "Authentication error"}])",
       {401, StatusCode::kUnauthenticated, Reason::kUpstreamUnauthenticated}},
      {R"([{"code": "10001"}])",
       {401, StatusCode::kUnauthenticated, Reason::kUpstreamUnauthenticated}},
      {R"([{"code": 6003, "error_chain": [{"code": 6111}]}])",
       {401, StatusCode::kUnauthenticated, Reason::kUpstreamUnauthenticated}},
      {R"({"code": 9109})",
       {403, StatusCode::kPermissionDenied, Reason::kUpstreamPermissionDenied}},
      {R"([{"code": 1}, {"code": 7003}])", {404, StatusCode::kNotFound, Reason::kPcapNotFound}},
      {R"([7000])", {404, StatusCode::kNotFound, Reason::kPcapNotFound}},
      {R"([{"code": 10100}])", {429, StatusCode::kResourceExhausted, Reason::kRateLimited}},
      {R"([{"code": 971}])", {429, StatusCode::kResourceExhausted, Reason::kRateLimited}},
      {R"([{"code": 10040}])", {429, StatusCode::kResourceExhausted, Reason::kRateLimited}},
      {R"([{"code": 4711}])", {200, StatusCode::kInternal, Reason::kUpstreamError}},
      {R"(["10000"])", {200, StatusCode::kInternal, Reason::kUpstreamError}},
      {R"("no")", {200, StatusCode::kInternal, Reason::kUpstreamError}},
      {"[]", {200, StatusCode::kInternal, Reason::kUpstreamError}},
      {"null", {200, StatusCode::kInternal, Reason::kUpstreamError}},
  };
  for (const auto& [errors, row] : cases) {
    const Error error = TheError(200, body(errors), Owner::kCaller);
    EXPECT_EQ(error.code, row.code) << errors;
    EXPECT_EQ(error.reason, row.reason) << errors;
    EXPECT_THAT(error.metadata, Contains(Pair("httpStatus", "200")));
  }
  EXPECT_EQ(TheError(200, body("[{\"code\": 10000}]"), Owner::kGateway).reason,
            Reason::kUpstreamCredentialsRejected);
  EXPECT_EQ(TheError(200, body("[{\"code\": 10100}]")).retry_after, kDefaultRetryAfter);
}

TEST(ErrorFromHttp, SaysWhenToTryAgain) {
  EXPECT_EQ(TheError(429, kNotFound, Owner::kGateway, "7").retry_after, absl::Seconds(7));
  EXPECT_EQ(TheError(429, kNotFound).retry_after, absl::Minutes(5));
  EXPECT_EQ(TheError(429, "<html>", Owner::kGateway, "soon").retry_after, absl::Minutes(5));
  EXPECT_EQ(TheError(503, kNotFound, Owner::kGateway, "30").retry_after, absl::Seconds(30));
  EXPECT_EQ(TheError(503, "<html>", Owner::kGateway, "30").retry_after, absl::Seconds(30));
  EXPECT_EQ(TheError(503, kNotFound).retry_after, std::nullopt);
  EXPECT_EQ(TheError(404, kNotFound, Owner::kGateway, "30").retry_after, std::nullopt);
}

TEST(ErrorFromHttp, QuotesWhatCloudflareSaidAndRepeatsItInTheMetadata) {
  const Error error = TheError(404, kNotFound);
  EXPECT_EQ(error.message,
            "Cloudflare knows no such capture in this account (HTTP 404): PCAP not found (10003)");
  EXPECT_THAT(error.metadata, ElementsAre(Pair("httpStatus", "404"), Pair("upstreamCode", "10003"),
                                          Pair("upstreamMessage", "PCAP not found (10003)")));
}

TEST(ErrorFromHttp, QuotesErrorsOfAnyShape) {
  const std::pair<std::string, std::string> cases[] = {
      {"null", "Cloudflare refuses the request (HTTP 400)"},
      {"[]", "Cloudflare refuses the request (HTTP 400)"},
      {R"(["a", "b"])", "Cloudflare refuses the request (HTTP 400): a; b"},
      {R"("a")", "Cloudflare refuses the request (HTTP 400): a"},
      {R"([{"code": 1}])", "Cloudflare refuses the request (HTTP 400): error 1"},
      {R"([{"message": "a"}])", "Cloudflare refuses the request (HTTP 400): a"},
      {R"([{"code": 1003, "message": "a", "error_chain": [{"code": 1111, "message": "b"}]}])",
       "Cloudflare refuses the request (HTTP 400): a (1003); b (1111)"},
      {R"([1, 2, 3, 4])", "Cloudflare refuses the request (HTTP 400): error 1; error 2; error 3"},
  };
  for (const auto& [errors, message] : cases) {
    EXPECT_EQ(TheError(400, R"({"success": false, "errors": )" + errors + "}").message, message);
  }
}

TEST(ErrorFromHttp, QuotesWithoutSecretsControlCharactersAndHtmlAndNotForEver) {
  const Error error = TheError(400, R"({"errors": [{"code": 1, "message":
      "<html>\u001b[31mno\r\n r2://b?secret-access-key=s3cr3t</html>"}]})");
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("no r2://b?secret-access-key=REDACTED"), Not(HasSubstr("s3cr3t")),
                    Not(HasSubstr("\x1B")), Not(HasSubstr("<html>")), Not(HasSubstr("\n"))));
  const Error longer =
      TheError(400, R"({"errors": [")" + std::string(100'000, 'x') + R"(", "y", "z"]})");
  EXPECT_LT(longer.message.size(), 300u);
  for (const auto& [key, value] : longer.metadata) EXPECT_LE(value.size(), 200u) << key;
}

TEST(ErrorFromHttp, OnlyDescribesABodyThatIsNotJson) {
  HttpAnswer answer{.status = 502,
                    .body = "<html><h1>Bad gateway</h1></html>",
                    .content_type = "Text/HTML; charset=utf-8"};
  const Error error = *ErrorIn(answer);
  EXPECT_EQ(error.message,
            "Cloudflare cannot answer now (HTTP 502): the body is not JSON (text/html, 33 bytes)");
  EXPECT_THAT(error.metadata,
              ElementsAre(Pair("httpStatus", "502"), Pair("contentType", "text/html"),
                          Pair("bodyBytes", "33")));
  answer.body = "";
  EXPECT_THAT(ErrorIn(answer)->message, HasSubstr("the body is not JSON (text/html, 0 bytes)"));
  answer.body = std::string(33, 'x');
  for (const std::string type : {"", "a b", "\x1B[31m", "text/\xFF", "x=y"}) {
    answer.content_type = type;
    EXPECT_THAT(ErrorIn(answer)->message, HasSubstr("(unknown type, 33 bytes)")) << type;
  }
  answer.content_type = std::string(1000, 'x');
  EXPECT_THAT(ErrorIn(answer)->message, HasSubstr("(unknown type, 33 bytes)"));
}

TEST(ErrorFromHttp, SaysThatARedirectIsNotFollowed) {
  for (const std::string body : {"{}", "<html>moved</html>", ""}) {
    EXPECT_THAT(TheError(302, body).message,
                HasSubstr("redirect, which is not followed (HTTP 302)"));
  }
}

TEST(ErrorFromHttp, PassesOnTheFirstLinkThatIsHttps) {
  const auto url = [](const std::string& errors) {
    return TheError(400, R"({"errors": )" + errors + "}").documentation_url;
  };
  EXPECT_EQ(url(R"([{"code": 1}, {"documentation_url": "http://a"},
                    {"documentation_url": "https://developers.cloudflare.com/api#x"}])"),
            "https://developers.cloudflare.com/api#x");
  EXPECT_EQ(url(R"([{"documentation_url": "https://a b"}])"), "");
  EXPECT_EQ(url(R"([{"documentation_url": "javascript:x"
}])"),
            "");
  EXPECT_EQ(url(R"([{"documentation_url": "https://a/\u001b"}])"), "");
  EXPECT_EQ(url(R"([{"documentation_url": "https://)" + std::string(600, 'a') + R"("}])"), "");
  EXPECT_EQ(url(R"([{"documentation_url": "https://u:p@a?k=s3cr3t"}])"),
            "https://REDACTED@a?k=REDACTED");
}

}  // namespace
}  // namespace pcap_gateway
