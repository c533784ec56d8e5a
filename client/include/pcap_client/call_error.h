// CallError: why a call to the gateway has no answer, with everything the gateway said about it.
//
//   if (error.reason == "RATE_LIMITED") {
//     TryAgainAfter(error.retry_after.value_or(absl::Seconds(30)));
//   }
//
// All texts are as received. Some come from Cloudflare by way of the gateway: escape them before
// they go to a terminal or into HTML.
#ifndef PCAP_CLIENT_CALL_ERROR_H_
#define PCAP_CLIENT_CALL_ERROR_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace pcap_client {

// One field of the request and what is wrong with it.
struct FieldViolation {
  std::string field;  // as in the proto: "pcap_id"
  std::string description;
};

// Where the error is explained.
struct HelpLink {
  std::string description;
  std::string url;
};

struct CallError {
  // Never kOk. A code that gRPC does not know is kUnknown.
  absl::StatusCode code = absl::StatusCode::kUnknown;

  // One sentence for a person; may change from version to version.
  std::string message;

  // There was no connection to the gateway: its name is not known, nobody listens, TLS did not come
  // about, or not in time. The call did not leave.
  bool no_connection = false;

  // What a program switches over: google.rpc.ErrorInfo.reason, e.g. "PCAP_NOT_FOUND". All are
  // listed in proto/pcap/v1/pcap_service.proto. Empty when the gateway itself did not answer
  // (unreachable, the deadline, a proxy in between) or when its details could not be read.
  std::string reason;

  // google.rpc.ErrorInfo.domain: "pcap.v1" from the gateway. Empty as for `reason`.
  std::string domain;

  // google.rpc.ErrorInfo.metadata: the variable parts of `message`, by name.
  std::map<std::string, std::string> metadata;

  // Do not ask again before this has passed; 0 or more. Absent: not said.
  std::optional<absl::Duration> retry_after;

  // What is wrong with the request, field by field. Empty unless `code` is kInvalidArgument.
  std::vector<FieldViolation> field_violations;

  std::vector<HelpLink> help_links;

  // The name of this call in the gateway's logs. Empty: not known.
  std::string request_id;

  // The name of the upstream request at Cloudflare. Empty: not known.
  std::string cf_ray;

  // For code that passes errors on as absl::Status: the code, and the message led by the reason.
  // The rest is lost.
  absl::Status ToStatus() const;
};

}  // namespace pcap_client

#endif  // PCAP_CLIENT_CALL_ERROR_H_
