#include "client/service_config.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace pcap_client {
namespace {

// gRPC's own cap (gRFC A6); more would be cut silently.
constexpr int kMostAttempts = 5;

// From gRPC 1.72 on a retry whose pause is below a millisecond or so hangs for ever (grpc#41036),
// and gRPC takes up to a fifth off. The gateway asks for no pause, so for none that is shorter.
constexpr absl::Duration kShortestBackoff = absl::Milliseconds(3);

// A pause beyond this is a typing error.
constexpr absl::Duration kLongestBackoff = absl::Hours(1);

// Methods that change nothing, so that asking twice is asking once. A method that creates or stops
// something does not belong here: after "unavailable" it may have happened.
// Nor does WatchPcaps: WatchSource connects it again, as it knows what was told.
struct SafeMethod {
  const char* service;
  const char* method;
};
constexpr SafeMethod kSafeMethods[] = {{"PcapService", "GetPcap"},
                                       {"PcapService", "ListPcaps"},
                                       {"PcapService", "DownloadPcap"},
                                       {"PcapOwnershipService", "ListOwnerships"}};

std::string MethodNames() {
  std::string names;
  for (const SafeMethod& safe : kSafeMethods) {
    absl::StrAppendFormat(&names, R"(%s{"service":"pcap.v1.%s","method":"%s"})",
                          names.empty() ? "" : ",", safe.service, safe.method);
  }
  return names;
}

// proto3 JSON of a Duration: seconds with a suffix.
std::string JsonOf(absl::Duration duration) {
  return absl::StrFormat("\"%.9fs\"", absl::ToDoubleSeconds(duration));
}

}  // namespace

absl::Status Validate(const RetryPolicy& policy) {
  if (policy.max_attempts < 1 || policy.max_attempts > kMostAttempts) {
    return absl::InvalidArgumentError(absl::StrCat("retry.max_attempts is ", policy.max_attempts,
                                                   "; it can be 1 to ", kMostAttempts));
  }
  if (policy.initial_backoff < kShortestBackoff || policy.initial_backoff > kLongestBackoff) {
    return absl::InvalidArgumentError(absl::StrCat("retry.initial_backoff is ",
                                                   absl::FormatDuration(policy.initial_backoff),
                                                   "; it can be 3 ms to 1 h"));
  }
  if (policy.max_backoff < policy.initial_backoff || policy.max_backoff > kLongestBackoff) {
    return absl::InvalidArgumentError("retry.max_backoff can be retry.initial_backoff to 1 h");
  }
  if (!std::isfinite(policy.backoff_multiplier) || policy.backoff_multiplier < 1) {
    return absl::InvalidArgumentError("retry.backoff_multiplier can be 1 or more");
  }
  return absl::OkStatus();
}

std::string ServiceConfigJson(const RetryPolicy& policy) {
  if (policy.max_attempts <= 1) return "{}";
  // retryThrottling: each failed attempt costs a token, each answer gives a tenth back; with half
  // of them left or fewer there are no retries. So one call alone can use all its attempts, and a
  // gateway that is down gets one attempt a call.
  return absl::StrFormat(
      R"({"methodConfig":[{"name":[%s],"retryPolicy":{"maxAttempts":%d,"initialBackoff":%s,)"
      R"("maxBackoff":%s,"backoffMultiplier":%g,"retryableStatusCodes":["UNAVAILABLE"]}}],)"
      R"("retryThrottling":{"maxTokens":10,"tokenRatio":0.1}})",
      MethodNames(), policy.max_attempts, JsonOf(policy.initial_backoff),
      JsonOf(policy.max_backoff), policy.backoff_multiplier);
}

}  // namespace pcap_client
