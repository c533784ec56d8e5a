#include "service/upstream/http_client.h"

namespace pcap_gateway {

absl::string_view NameOf(TransportFailure::Kind kind) {
  using Kind = TransportFailure::Kind;
  switch (kind) {
    case Kind::kResolve:
      return "resolve";
    case Kind::kConnect:
      return "connect";
    case Kind::kTls:
      return "tls";
    case Kind::kTimeout:
      return "timeout";
    case Kind::kStalled:
      return "stalled";
    case Kind::kBroken:
      return "broken";
    case Kind::kMalformed:
      return "malformed";
    case Kind::kTooLarge:
      return "too_large";
    case Kind::kCancelled:
      return "cancelled";
    case Kind::kStopped:
      return "stopped";
    case Kind::kOwnLimits:
      return "own_limits";
  }
  return "";
}

int SendingsOf(const HttpResult& result) {
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) return answer->sendings;
  const auto* failure = std::get_if<TransportFailure>(&result);
  return failure == nullptr ? 0 : failure->sendings;
}

bool HasBegun(const HttpResult& result) {
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) return answer->sunk_bytes > 0;
  const auto* failure = std::get_if<TransportFailure>(&result);
  return failure != nullptr && failure->sunk_bytes > 0;
}

}  // namespace pcap_gateway
