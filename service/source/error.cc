#include "service/source/error.h"

#include "absl/strings/str_cat.h"

namespace pcap_gateway {

absl::string_view NameOf(Reason reason) {
  switch (reason) {
    case Reason::kInvalidRequest:
      return "INVALID_REQUEST";
    case Reason::kMissingCredential:
      return "MISSING_CREDENTIAL";
    case Reason::kInvalidCredential:
      return "INVALID_CREDENTIAL";
    case Reason::kCertificateExpired:
      return "CERTIFICATE_EXPIRED";
    case Reason::kCallerNotPermitted:
      return "CALLER_NOT_PERMITTED";
    case Reason::kAccountNotPermitted:
      return "ACCOUNT_NOT_PERMITTED";
    case Reason::kMethodDisabled:
      return "METHOD_DISABLED";
    case Reason::kUpstreamBadRequest:
      return "UPSTREAM_BAD_REQUEST";
    case Reason::kUpstreamUnauthenticated:
      return "UPSTREAM_UNAUTHENTICATED";
    case Reason::kUpstreamPermissionDenied:
      return "UPSTREAM_PERMISSION_DENIED";
    case Reason::kUpstreamCredentialsRejected:
      return "UPSTREAM_CREDENTIALS_REJECTED";
    case Reason::kUpstreamAccountDenied:
      return "UPSTREAM_ACCOUNT_DENIED";
    case Reason::kAccountNotFound:
      return "ACCOUNT_NOT_FOUND";
    case Reason::kOwnershipNotFound:
      return "OWNERSHIP_NOT_FOUND";
    case Reason::kPcapNotFound:
      return "PCAP_NOT_FOUND";
    case Reason::kPcapNotReady:
      return "PCAP_NOT_READY";
    case Reason::kPcapInBucket:
      return "PCAP_IN_BUCKET";
    case Reason::kNotCached:
      return "NOT_CACHED";
    case Reason::kUpstreamConflict:
      return "UPSTREAM_CONFLICT";
    case Reason::kRateLimited:
      return "RATE_LIMITED";
    case Reason::kUpstreamUnavailable:
      return "UPSTREAM_UNAVAILABLE";
    case Reason::kUpstreamUnreachable:
      return "UPSTREAM_UNREACHABLE";
    case Reason::kUpstreamInvalidResponse:
      return "UPSTREAM_INVALID_RESPONSE";
    case Reason::kUpstreamResponseTooLarge:
      return "UPSTREAM_RESPONSE_TOO_LARGE";
    case Reason::kOutcomeUnknown:
      return "OUTCOME_UNKNOWN";
    case Reason::kUpstreamError:
      return "UPSTREAM_ERROR";
    case Reason::kDownloadIncomplete:
      return "DOWNLOAD_INCOMPLETE";
    case Reason::kOverloaded:
      return "OVERLOADED";
    case Reason::kTooManyCalls:
      return "TOO_MANY_CALLS";
    case Reason::kTooManyStreams:
      return "TOO_MANY_STREAMS";
    case Reason::kReaderTooSlow:
      return "READER_TOO_SLOW";
    case Reason::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case Reason::kCancelled:
      return "CANCELLED";
    case Reason::kShuttingDown:
      return "SHUTTING_DOWN";
    case Reason::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

Error OutcomeUnknown(Error error) {
  error.code = absl::StatusCode::kUnknown;
  error.reason = Reason::kOutcomeUnknown;
  error.retry_after.reset();
  error.message = absl::StrCat("the request was sent, and its outcome is unknown (", error.message,
                               "); list what there is before you try again");
  return error;
}

}  // namespace pcap_gateway
