#include "service/endpoints/answer.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/mapping/error_from_http.h"
#include "service/source/credential.h"

namespace pcap_gateway {

OpenedAnswer::OpenedAnswer(const Query& query, const HttpAnswer& answer,
                           const ParseOptions& options)
    : answer_(answer),
      once_(query.endpoint != nullptr && query.endpoint->effect == Effect::kWritesOnce),
      document_(JsonDocument::Parse(answer.body)) {
  const Credential* const credential = query.credential.get();
  if (credential != nullptr) document_.Redact(credential->finder());
  envelope_ = ReadEnvelope(document_.root());
  error_ = ErrorFromHttp(
      answer, document_, envelope_,
      {.owner = credential == nullptr ? Credential::Owner::kGateway : credential->owner(),
       .is_read = query.endpoint == nullptr || query.may_be_kept(),
       .not_found = query.endpoint == nullptr ? Reason::kPcapNotFound : query.endpoint->not_found,
       .now = options.now});
  // Neither does an error of somebody between Cloudflare's API and us.
  const bool is_word = envelope_.is_envelope || (answer.status >= 300 && answer.status < 500);
  if (error_.has_value() && once_ && !is_word) error_ = OutcomeUnknown(*std::move(error_));
}

Outcome OpenedAnswer::FailedWith(Error error) const {
  Outcome outcome;
  outcome.http_status = answer_.status;
  outcome.error = std::make_unique<const Error>(std::move(error));
  return outcome;
}

Outcome OpenedAnswer::Invalid(absl::string_view what) const {
  Error error = InvalidResponse(answer_, what);
  return FailedWith(once_ ? OutcomeUnknown(std::move(error)) : std::move(error));
}

Outcome OpenedAnswer::Answered(const google::protobuf::MessageLite& response) const {
  // JSON of 1 MiB can become five times as much: each digit of an unknown list of digits takes
  // eleven bytes.
  if (response.ByteSizeLong() > kMostOutcomeBytes) {
    return FailedWith(Error(absl::StatusCode::kInternal, Reason::kUpstreamResponseTooLarge,
                            "Cloudflare's answer is larger than the gateway can pass on"));
  }
  Outcome outcome;
  outcome.http_status = answer_.status;
  outcome.message = response.SerializeAsString();
  return outcome;
}

std::optional<Outcome> OpenedAnswer::NoObject() const {
  if (error_.has_value()) return FailedWith(*error_);
  if (result() == nullptr) return Invalid("without a result");
  if (!result()->is_object()) return Invalid("with a result that is not an object");
  return std::nullopt;
}

std::optional<Outcome> OpenedAnswer::NoList() const {
  if (error_.has_value()) return FailedWith(*error_);
  if (result() != nullptr && !result()->is_array()) {
    return Invalid("with a result that is not a list");
  }
  // A null is how Go writes an empty list.
  if (result() == nullptr && document_.root().Find("result") == nullptr) {
    return Invalid("without a result");
  }
  return std::nullopt;
}

std::optional<Outcome> OpenedAnswer::NoSuccess() const {
  const bool is_success = answer_.status >= 200 && answer_.status < 300;
  const bool says_no = envelope_.kind == Envelope::Kind::kFailure;
  if (error_.has_value() && (!is_success || says_no)) return FailedWith(*error_);
  return std::nullopt;
}

std::string PcapsPath(const Query& query) {
  return absl::StrCat("/accounts/", query.account.ToString(), "/pcaps");
}

std::string PcapPath(const Query& query) {
  return absl::StrCat(PcapsPath(query), "/", query.resource.ToString());
}

bool IsAbout(const JsonValue& result, const Id& asked) {
  const JsonValue* const id = result.Find("id");
  if (id == nullptr || id->is_null()) return true;
  if (!id->is_string()) return false;
  const std::string digits = asked.ToString();
  return id->text() == digits || absl::EqualsIgnoreCase(id->text(), digits);
}

}  // namespace pcap_gateway
