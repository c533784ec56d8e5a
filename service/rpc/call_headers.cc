#include "service/rpc/call_headers.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsAllZeros(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

// version-traceid-parentid-flags (W3C Trace Context, 3.2.2). Later versions may append `-` and
// more.
bool IsTraceparent(absl::string_view text) {
  constexpr size_t kLength = 55;
  if (text.size() < kLength || text.size() > 2 * kLength) return false;
  const absl::string_view version = text.substr(0, 2);
  const absl::string_view trace_id = text.substr(3, 32);
  const absl::string_view parent_id = text.substr(36, 16);
  const absl::string_view flags = text.substr(53, 2);
  const absl::string_view rest = text.substr(kLength);
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  if (!IsLowerHex(version) || !IsLowerHex(trace_id) || !IsLowerHex(parent_id) ||
      !IsLowerHex(flags)) {
    return false;
  }
  if (version == "ff" || IsAllZeros(trace_id) || IsAllZeros(parent_id)) return false;
  if (rest.empty()) return true;
  return version != "00" && rest[0] == '-' &&
         std::all_of(rest.begin(), rest.end(),
                     [](unsigned char c) { return absl::ascii_isgraph(c); });
}

bool IsTracestate(absl::string_view text) {
  constexpr size_t kMost = 512;
  return text.size() <= kMost && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isprint(c);
         });
}

bool IsRequestId(absl::string_view text) {
  constexpr size_t kMost = 128;
  return text.size() <= kMost && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isgraph(c);
         });
}

Error NoCredential(Reason reason, absl::string_view message) {
  return Error(absl::StatusCode::kUnauthenticated, reason, std::string(message));
}

}  // namespace

void CallHeaders::Read(absl::string_view key, absl::string_view value) {
  if (key == "cache-control") {
    cache_control_.Add(CacheControlOf(value));
  } else if (key == "traceparent") {
    traceparent_ = value;
  } else if (key == "tracestate") {
    tracestate_ = value;
  } else if (key == "x-request-id") {
    request_id_ = value;
  } else if (key == "authorization") {
    authorization_ = value;
  } else if (key == "x-auth-email") {
    email_ = value;
  } else if (key == "x-auth-key") {
    key_ = value;
  }
}

Trace CallHeaders::trace() const {
  Trace trace;
  if (IsTraceparent(traceparent_)) {
    trace.traceparent = std::string(traceparent_);
    if (IsTracestate(tracestate_)) trace.tracestate = std::string(tracestate_);
  }
  if (IsRequestId(request_id_)) trace.request_id = std::string(request_id_);
  return trace;
}

std::variant<std::shared_ptr<const Credential>, Error> CallHeaders::credential() const {
  absl::StatusOr<std::shared_ptr<const Credential>> credential =
      absl::UnauthenticatedError("no credential");
  constexpr absl::string_view kBearer = "Bearer ";
  if (!authorization_.empty()) {
    if (!absl::StartsWithIgnoreCase(authorization_, kBearer)) {
      return NoCredential(Reason::kInvalidCredential,
                          "the authorization metadata is not of the form `Bearer TOKEN`");
    }
    credential =
        Credential::FromToken(Credential::Owner::kCaller, authorization_.substr(kBearer.size()));
  } else if (!email_.empty() && !key_.empty()) {
    credential = Credential::FromEmailAndKey(Credential::Owner::kCaller, email_, key_);
  } else {
    return NoCredential(Reason::kMissingCredential,
                        "the call carries no Cloudflare credential: send one as `Bearer TOKEN` in "
                        "`authorization`, or in `x-auth-email` and `x-auth-key`");
  }
  if (credential.ok()) return *std::move(credential);
  return NoCredential(Reason::kInvalidCredential, credential.status().message());
}

std::string NewRequestId() {
  thread_local absl::BitGen random;
  return absl::StrCat(absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16),
                      absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16));
}

}  // namespace pcap_gateway
