#include "service/endpoints/answer.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "service/mapping/error_from_http.h"
#include "service/source/credential.h"

namespace pcap_gateway {

OpenedAnswer::OpenedAnswer(const Query& query, const HttpAnswer& answer,
                           const ParseOptions& options)
    : answer_(answer), document_(JsonDocument::Parse(answer.body)) {
  const Credential* const credential = query.credential.get();
  if (credential != nullptr) document_.Redact(credential->finder());
  envelope_ = ReadEnvelope(document_.root());
  error_ = ErrorFromHttp(
      answer, document_, envelope_,
      {.owner = credential == nullptr ? Credential::Owner::kGateway : credential->owner(),
       .not_found = query.endpoint == nullptr ? Reason::kPcapNotFound : query.endpoint->not_found,
       .now = options.now});
}

Outcome OpenedAnswer::FailedWith(Error error) const {
  Outcome outcome;
  outcome.http_status = answer_.status;
  outcome.error = std::make_unique<const Error>(std::move(error));
  return outcome;
}

Outcome OpenedAnswer::Invalid(absl::string_view what) const {
  return FailedWith(InvalidResponse(answer_, what));
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

bool IsAbout(const JsonValue& result, const Id& asked) {
  const JsonValue* const id = result.Find("id");
  if (id == nullptr || id->is_null()) return true;
  if (!id->is_string()) return false;
  const std::string digits = asked.ToString();
  return id->text() == digits || absl::EqualsIgnoreCase(id->text(), digits);
}

}  // namespace pcap_gateway
