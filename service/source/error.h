// Error: why a call has no answer. The one error type inside the gateway; rpc/ turns it into a
// google.rpc.Status.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_ERROR_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_ERROR_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// Stable, and what callers switch over. Each stands, with its meaning, in
// proto/pcap/v1/pcap_service.proto.
enum class Reason {
  kInvalidRequest,
  kMissingCredential,
  kInvalidCredential,
  kCertificateExpired,
  kCallerNotPermitted,
  kAccountNotPermitted,
  kMethodDisabled,
  kUpstreamBadRequest,
  kUpstreamUnauthenticated,
  kUpstreamPermissionDenied,
  kUpstreamCredentialsRejected,
  kUpstreamAccountDenied,
  kPcapNotFound,
  kAccountNotFound,
  kOwnershipNotFound,
  kPcapNotReady,
  kPcapInBucket,
  kNotCached,
  kUpstreamConflict,
  kRateLimited,
  kUpstreamUnavailable,
  kUpstreamUnreachable,
  kUpstreamInvalidResponse,
  kUpstreamResponseTooLarge,
  kUpstreamError,
  kDownloadIncomplete,
  kOutcomeUnknown,
  kOverloaded,
  kTooManyCalls,
  kTooManyStreams,
  kReaderTooSlow,
  kDeadlineExceeded,
  kCancelled,
  kShuttingDown,
  kInternal,
};
inline constexpr size_t kReasons = static_cast<size_t>(Reason::kInternal) + 1;

// The reason's name in UPPER_SNAKE_CASE, as it goes into google.rpc.ErrorInfo.
absl::string_view NameOf(Reason reason);

// What Cloudflare's word takes from the credential that was used: what it was shown before is not
// its to see any more.
enum class Denies {
  kNothing,
  kAccount,     // the account that was asked about
  kEverything,  // the credential is not valid (any more)
};

// One field of the request and what is wrong with it.
struct FieldViolation {
  std::string field;        // as in the proto: "pcap_id"
  std::string description;  // never repeats more of the value than is needed
};

// Every text in here is public: no secret, no raw HTML, valid UTF-8. rpc/ bounds the lengths.
struct Error {
  Error(absl::StatusCode code, Reason reason, std::string message)
      : code(code), reason(reason), message(std::move(message)) {}

  absl::StatusCode code;  // never kOk
  Reason reason;
  Denies denies = Denies::kNothing;
  std::string message;  // one sentence for a person
  // More for the log and the status page, never for callers: hosts, addresses, libcurl's words.
  std::string for_operators;
  std::vector<std::pair<std::string, std::string>> metadata;  // ErrorInfo.metadata: lowerCamelCase
  std::vector<FieldViolation> field_violations;               // with kInvalidRequest
  std::optional<absl::Duration> retry_after;  // not before then; absent: not known, or pointless
  std::string documentation_url;              // empty: none
};

// `error`: of a write that was sent, and of which it does not say what became of it.
Error OutcomeUnknown(Error error);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_ERROR_H_
