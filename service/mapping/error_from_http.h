// An HTTP answer that is no success → Error: the table of the contract.
//
//   const JsonDocument document = JsonDocument::Parse(answer.body);
//   const Envelope envelope = ReadEnvelope(document.root());
//   if (std::optional<Error> error = ErrorFromHttp(answer, document, envelope, asked)) {
//     return error;
//   }
//
// The table:
//
//   status                code                 reason
//   400, other 4xx        INVALID_ARGUMENT     UPSTREAM_BAD_REQUEST; but 400 with an error code, in
//                                              an error_chain too, of a credential that is
//                                              malformed or not known: as 401
//   401 caller's own      UNAUTHENTICATED      UPSTREAM_UNAUTHENTICATED
//   403 caller's own      PERMISSION_DENIED    UPSTREAM_PERMISSION_DENIED
//   401 gateway's         INTERNAL             UPSTREAM_CREDENTIALS_REJECTED
//   403 gateway's         PERMISSION_DENIED    UPSTREAM_ACCOUNT_DENIED
//   404                   NOT_FOUND            Asked::not_found, such as PCAP_NOT_FOUND
//   409                   ABORTED              UPSTREAM_CONFLICT
//   429                   RESOURCE_EXHAUSTED   RATE_LIMITED, always with retry_after
//   408, 425, 3xx, 5xx    UNAVAILABLE          UPSTREAM_UNAVAILABLE
//   no envelope           UNAVAILABLE          UPSTREAM_UNAVAILABLE, whatever the status; but 429
//                                              stays: whoever says it says when to come back
//   2xx, success: false   by its errors' codes where they are known, as if they had come with the
//                         status they belong to; else INTERNAL, UPSTREAM_ERROR
//   2xx, no envelope      INTERNAL             UPSTREAM_INVALID_RESPONSE
//
// What it denies the credential: everything, with 401 or what counts as 401; the account, with 403
// to a read. What it may not write or download, it may have read by right.
//
// No envelope: HTML, a text, problem+json of Cloudflare's edge (RFC 9457), the JSON of a proxy on
// the way. It says nothing about a capture or a credential.
//
// retry_after is also there with UNAVAILABLE, if somebody said when. The message quotes the texts
// of the first errors, or title, code and message of JSON that is no envelope, fit for the public;
// what is not JSON is only described, except the edge's `error code: 1010`. Metadata: httpStatus,
// and as far as the message has them upstreamCode, upstreamMessage, contentType, contentEncoding,
// bodyBytes and cfMitigated. Pure and thread-safe.
#ifndef PCAP_GATEWAY_SERVICE_MAPPING_ERROR_FROM_HTTP_H_
#define PCAP_GATEWAY_SERVICE_MAPPING_ERROR_FROM_HTTP_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/mapping/envelope.h"
#include "service/mapping/json_value.h"
#include "service/source/credential.h"
#include "service/source/error.h"
#include "service/source/http_answer.h"

namespace pcap_gateway {

// What 429 means if it does not say for how long: Cloudflare blocks for five minutes whoever went
// over the limit (developers.cloudflare.com/fundamentals/api/reference/limits).
inline constexpr absl::Duration kDefaultRetryAfter = absl::Minutes(5);

// What an error depends on beside the answer.
struct Asked {
  // Whose credential was used.
  Credential::Owner owner = Credential::Owner::kGateway;
  // A 403 says of the credential that it may not read in the account.
  bool is_read = true;
  // What a 404 says is missing.
  Reason not_found = Reason::kPcapNotFound;
  // What a Retry-After with a date is relative to.
  absl::Time now = absl::UnixEpoch();
};

// The error in `answer`, whose body is `document` and `envelope`; nullopt: it is a 2xx that says
// success.
std::optional<Error> ErrorFromHttp(const HttpAnswer& answer, const JsonDocument& document,
                                   const Envelope& envelope, const Asked& asked);

// The error of a 2xx that is not what was asked for. `what` goes on "Cloudflare answered HTTP 200":
// "without a result".
Error InvalidResponse(const HttpAnswer& answer, absl::string_view what);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_MAPPING_ERROR_FROM_HTTP_H_
