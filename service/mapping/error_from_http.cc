#include "service/mapping/error_from_http.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "service/source/public_text.h"
#include "service/source/retry_after.h"

namespace pcap_gateway {
namespace {

using absl::StatusCode;
using pcap::v1::ResponseInfo;

constexpr int kMostErrorsQuoted = 3;
// Whose codes are looked at.
constexpr int kMostErrorsRead = 32;
constexpr size_t kMostQuotedBytes = 200;
constexpr size_t kMostCodeBytes = 32;
constexpr size_t kMostUrlBytes = 512;
constexpr size_t kMostHeaderBytes = 64;

struct Verdict {
  StatusCode code;
  Reason reason;
  absl::string_view sentence;
  Denies denies = Denies::kNothing;
};

constexpr Verdict kUnavailable = {StatusCode::kUnavailable, Reason::kUpstreamUnavailable,
                                  "Cloudflare cannot answer now"};

absl::string_view Missing(Reason not_found) {
  if (not_found == Reason::kAccountNotFound) return "Cloudflare knows no such account";
  if (not_found == Reason::kOwnershipNotFound) return "Cloudflare knows no such bucket";
  return "Cloudflare knows no such capture in this account";
}

// The table for statuses that are no success.
Verdict VerdictOn(int status, const Asked& asked) {
  const bool callers = asked.owner == Credential::Owner::kCaller;
  const Denies forbids = asked.is_read ? Denies::kAccount : Denies::kNothing;
  switch (status) {
    case 401:
      if (callers) {
        return {StatusCode::kUnauthenticated, Reason::kUpstreamUnauthenticated,
                "Cloudflare does not accept the call's credential", Denies::kEverything};
      }
      return {StatusCode::kInternal, Reason::kUpstreamCredentialsRejected,
              "Cloudflare rejects the gateway's own credential", Denies::kEverything};
    case 403:
      if (callers) {
        return {StatusCode::kPermissionDenied, Reason::kUpstreamPermissionDenied,
                "Cloudflare denies this to the call's credential", forbids};
      }
      return {StatusCode::kPermissionDenied, Reason::kUpstreamAccountDenied,
              "Cloudflare does not let the gateway's own credential see this account", forbids};
    case 404:
      return {StatusCode::kNotFound, asked.not_found, Missing(asked.not_found)};
    case 408:
    case 425:
      return kUnavailable;
    case 409:
      return {StatusCode::kAborted, Reason::kUpstreamConflict, "Cloudflare reports a conflict"};
    case 429:
      return {StatusCode::kResourceExhausted, Reason::kRateLimited,
              "Cloudflare's rate limit is reached"};
    default:
      break;
  }
  if (status >= 400 && status < 500) {
    return {StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest,
            "Cloudflare refuses the request"};
  }
  if (status >= 300 && status < 400) {
    return {kUnavailable.code, kUnavailable.reason,
            "Cloudflare answered with a redirect, which is not followed"};
  }
  return kUnavailable;
}

// Error codes that may come with `success: false` in a 2xx, and the status that they belong to.
// Those of a credential come with 400, too. Cloudflare has no list of them. 7003 stands in the
// examples of its API schema; the others were seen by users, as reported in public issues of
// cloudflare-go, its Terraform provider and others.
struct KnownCode {
  int64_t code;
  int status;
};
constexpr KnownCode kKnownCodes[] = {
    {971, 429},    // please wait and consider throttling your request speed
    {6003, 401},   // invalid request headers; the malformed header follows in the error chain:
    {6103, 401},   // ... invalid format for X-Auth-Key
    {6111, 401},   // ... invalid format for Authorization
    {7000, 404},   // no route for that URI
    {7003, 404},   // could not route: perhaps the object identifier is invalid
    {9103, 401},   // unknown X-Auth-Key or X-Auth-Email
    {9106, 401},   // missing X-Auth-Key, X-Auth-Email or Authorization
    {9109, 403},   // unauthorized to access the requested resource
    {10000, 401},  // authentication error
    {10001, 401},  // unable to authenticate the request
    {10040, 429},  // rate limited
    {10100, 429},  // rate limited
};

std::optional<int> StatusOf(const ResponseInfos& errors) {
  for (const ResponseInfo& error : errors) {
    for (const KnownCode& known : kKnownCodes) {
      if (error.has_code() && error.code() == known.code) return known.status;
    }
  }
  return std::nullopt;
}

// What `answer` comes down to: its status, except for a credential that is malformed or not known,
// which Cloudflare tells with 400.
int MeantStatus(const HttpAnswer& answer, const ResponseInfos& errors) {
  const bool of_credential = std::any_of(errors.begin(), errors.end(), [](const auto& error) {
    return std::any_of(std::begin(kKnownCodes), std::end(kKnownCodes), [&](const auto& known) {
      return error.has_code() && error.code() == known.code && known.status == 401;
    });
  });
  return answer.status == 400 && of_credential ? 401 : answer.status;
}

// "PCAP not found (10003); try again"
std::string Quoted(const ResponseInfos& errors) {
  std::string text;
  for (int i = 0; i < std::min(errors.size(), kMostErrorsQuoted); ++i) {
    const ResponseInfo& error = errors[i];
    if (!error.has_message() && !error.has_code()) continue;
    if (!text.empty()) text += "; ";
    const std::string message = PublicText(error.message(), kMostQuotedBytes);
    if (!error.has_code()) {
      text += message;
    } else if (message.empty()) {
      absl::StrAppend(&text, "error ", error.code());
    } else {
      absl::StrAppend(&text, message, " (", error.code(), ")");
    }
  }
  return PublicText(text, kMostQuotedBytes);
}

// The first link to documentation that a caller may be shown.
std::string DocumentationOf(const ResponseInfos& errors) {
  for (const ResponseInfo& error : errors) {
    const std::string& url = error.documentation_url();
    if (absl::StartsWith(url, "https://") && url.size() <= kMostUrlBytes &&
        std::all_of(url.begin(), url.end(),
                    [](unsigned char c) { return absl::ascii_isgraph(c); })) {
      return url;
    }
  }
  return "";
}

// A header's value in lower case; `instead` of one that is not made of letters, digits and `also`.
std::string CleanHeader(absl::string_view value, absl::string_view also,
                        absl::string_view instead) {
  const bool proper = !value.empty() && value.size() <= kMostHeaderBytes &&
                      std::all_of(value.begin(), value.end(), [also](unsigned char c) {
                        return absl::ascii_isalnum(c) || absl::StrContains(also, c);
                      });
  return proper ? absl::AsciiStrToLower(value) : std::string(instead);
}

// The media type without parameters; "unknown type" if it is not one.
std::string MediaTypeOf(const HttpAnswer& answer) {
  const absl::string_view type = absl::StripAsciiWhitespace(
      absl::string_view(answer.content_type).substr(0, answer.content_type.find(';')));
  return CleanHeader(type, "/+.-_", "unknown type");
}

// What the body is coded in, though `identity` was asked for; empty: nothing. Only bodies that are
// not JSON are asked about.
std::string CodingOf(const HttpAnswer& answer) {
  const absl::string_view coding = answer.content_encoding;
  if (coding.empty() || absl::EqualsIgnoreCase(coding, "identity")) return "";
  return CleanHeader(coding, "-_, ", "unknown");
}

// "text/html, 1234 bytes"
std::string DescribeBody(const HttpAnswer& answer, Error& error) {
  const std::string type = MediaTypeOf(answer);
  const std::string bytes = absl::StrCat(answer.body.size());
  error.metadata.emplace_back("contentType", type);
  error.metadata.emplace_back("bodyBytes", bytes);
  return absl::StrCat(type, ", ", bytes, " bytes");
}

// "not JSON (text/html, 1234 bytes)"
std::string DescribeNoJson(const HttpAnswer& answer, Error& error) {
  const std::string body = DescribeBody(answer, error);
  const std::string coding = CodingOf(answer);
  if (coding.empty()) return absl::StrCat("not JSON (", body, ")");
  error.metadata.emplace_back("contentEncoding", coding);
  return absl::StrCat("in the coding ", coding, ", which was not asked for (", body, ")");
}

Error MakeError(const Verdict& verdict, const HttpAnswer& answer, const ResponseInfos& errors) {
  Error error(verdict.code, verdict.reason,
              absl::StrCat(verdict.sentence, " (HTTP ", answer.status, ")"));
  error.denies = verdict.denies;
  error.metadata.emplace_back("httpStatus", absl::StrCat(answer.status));
  if (!errors.empty() && errors[0].has_code()) {
    error.metadata.emplace_back("upstreamCode", absl::StrCat(errors[0].code()));
  }
  if (std::string quoted = Quoted(errors); !quoted.empty()) {
    absl::StrAppend(&error.message, ": ", quoted);
    error.metadata.emplace_back("upstreamMessage", std::move(quoted));
  }
  error.documentation_url = DocumentationOf(errors);
  return error;
}

// What JSON that is no envelope says of an error: `title` and `detail` of RFC 9457, Cloudflare's
// `error_code`, and what proxies have. Each once.
std::string WordsOf(const JsonValue& root, Error& error) {
  std::vector<absl::string_view> words;
  const auto add = [&words](const JsonValue* part) {
    if (part == nullptr || !part->is_string() || part->text().empty()) return;
    if (std::find(words.begin(), words.end(), part->text()) == words.end()) {
      words.push_back(part->text());
    }
  };
  for (const absl::string_view name : {"title", "message", "detail", "error"}) {
    const JsonValue* const part = root.Find(name);
    add(part);
    if (part != nullptr && part->is_object()) add(part->Find("message"));
  }
  const JsonValue* const code = root.Find("error_code");
  if (code != nullptr && (code->is_number() || code->is_string())) {
    error.metadata.emplace_back("upstreamCode", PublicText(code->text(), kMostCodeBytes));
    if (words.empty()) return PublicText(absl::StrCat("error ", code->text()), kMostQuotedBytes);
    const std::string first = absl::StrCat(words[0], " (", code->text(), ")");
    words[0] = first;
    return PublicText(absl::StrJoin(words, "; "), kMostQuotedBytes);
  }
  return PublicText(absl::StrJoin(words, "; "), kMostQuotedBytes);
}

// What a body that is not JSON says of an error: the code in the plain text that Cloudflare's edge
// answers with, `error code: 1010`.
std::string WordsOfText(const HttpAnswer& answer, Error& error) {
  absl::string_view text = absl::StripAsciiWhitespace(answer.body);
  if (!absl::ConsumePrefix(&text, "error code: ") || text.empty() || text.size() > 8 ||
      !std::all_of(text.begin(), text.end(), absl::ascii_isdigit)) {
    return "";
  }
  error.metadata.emplace_back("upstreamCode", text);
  return absl::StrCat("error ", text);
}

// Cloudflare's API answers with its envelope. What does not is the edge in front of it, or some
// proxy on the way, whose 404 says nothing about a capture, and whose 401 nothing about a
// credential. A rate limit it may well tell of.
Error ErrorWithoutEnvelope(const HttpAnswer& answer, const JsonDocument& document) {
  const bool stands = answer.status == 429 || answer.status < 400;
  Error error = MakeError(stands ? VerdictOn(answer.status, {}) : kUnavailable, answer, {});
  std::string words;
  if (document.fault() != JsonDocument::Fault::kMalformed) {
    absl::StrAppend(&error.message, ": the body is not the API's envelope (",
                    DescribeBody(answer, error), ")");
    words = WordsOf(document.root(), error);
  } else {
    absl::StrAppend(&error.message, ": the body is ", DescribeNoJson(answer, error));
    words = WordsOfText(answer, error);
  }
  if (!words.empty()) {
    absl::StrAppend(&error.message, ": ", words);
    error.metadata.emplace_back("upstreamMessage", std::move(words));
  }
  // Cloudflare's edge took the gateway for a robot, and wants a browser's answer.
  if (absl::EqualsIgnoreCase(answer.cf_mitigated, "challenge")) {
    absl::StrAppend(&error.message, "; it is a challenge of Cloudflare's edge");
    error.metadata.emplace_back("cfMitigated", "challenge");
  }
  return error;
}

Error ErrorOfFailure(const HttpAnswer& answer, const ResponseInfos& errors, const Asked& asked) {
  const std::optional<int> status = StatusOf(errors);
  if (status.has_value()) return MakeError(VerdictOn(*status, asked), answer, errors);
  return MakeError({StatusCode::kInternal, Reason::kUpstreamError, "Cloudflare reports a failure"},
                   answer, errors);
}

Error ErrorOfUnreadable(const HttpAnswer& answer, const JsonDocument& document) {
  if (answer.body.empty()) return InvalidResponse(answer, "without a body");
  switch (document.fault()) {
    case JsonDocument::Fault::kTooDeep:
      return InvalidResponse(
          answer, absl::StrCat("with JSON nested deeper than ", JsonDocument::kMostDepth));
    case JsonDocument::Fault::kMalformed: {
      Error error = InvalidResponse(answer, "with a body that is ");
      absl::StrAppend(&error.message, DescribeNoJson(answer, error));
      return error;
    }
    case JsonDocument::Fault::kNone:
      break;
  }
  return InvalidResponse(answer, "with JSON that is not its response envelope");
}

std::optional<absl::Duration> RetryAfterOf(const Error& error, const HttpAnswer& answer,
                                           absl::Time now) {
  const bool rate_limited = error.code == StatusCode::kResourceExhausted;
  if (!rate_limited && error.code != StatusCode::kUnavailable) return std::nullopt;
  const std::optional<absl::Duration> said = RetryAfterFrom(answer.retry_after, now);
  if (rate_limited && !said.has_value()) return kDefaultRetryAfter;
  return said;
}

}  // namespace

std::optional<Error> ErrorFromHttp(const HttpAnswer& answer, const JsonDocument& document,
                                   const Envelope& envelope, const Asked& asked) {
  const bool is_success = answer.status >= 200 && answer.status < 300;
  if (is_success && envelope.kind == Envelope::Kind::kSuccess) return std::nullopt;

  ResponseInfos errors;
  AppendInfos(envelope.errors, Secrets::kHide, errors, kMostErrorsRead);
  std::optional<Error> error;
  if (!is_success) {
    error = envelope.is_envelope
                ? MakeError(VerdictOn(MeantStatus(answer, errors), asked), answer, errors)
                : ErrorWithoutEnvelope(answer, document);
  } else if (envelope.kind == Envelope::Kind::kFailure) {
    error = ErrorOfFailure(answer, errors, asked);
  } else {
    error = ErrorOfUnreadable(answer, document);
  }
  error->retry_after = RetryAfterOf(*error, answer, asked.now);
  return error;
}

Error InvalidResponse(const HttpAnswer& answer, absl::string_view what) {
  Error error(StatusCode::kInternal, Reason::kUpstreamInvalidResponse,
              absl::StrCat("Cloudflare answered HTTP ", answer.status, " ", what));
  error.metadata.emplace_back("httpStatus", absl::StrCat(answer.status));
  return error;
}

}  // namespace pcap_gateway
