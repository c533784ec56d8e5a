#include "service/upstream/breaker_client.h"

#include <utility>

namespace pcap_gateway {
namespace {

using Kind = TransportFailure::Kind;

enum class Sign { kWell, kUnwell, kNone };

// What the end of a request says of the upstream. A 4xx is the word of one that is well; what we
// withheld or cancelled says nothing.
Sign SignOf(const HttpResult& result) {
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) {
    return answer->status >= 500 ? Sign::kUnwell : Sign::kWell;
  }
  const auto* failure = std::get_if<TransportFailure>(&result);
  if (failure == nullptr) return Sign::kNone;
  switch (failure->kind) {
    case Kind::kResolve:
    case Kind::kConnect:
    case Kind::kTls:
    case Kind::kTimeout:
    case Kind::kStalled:
    case Kind::kBroken:
      return Sign::kUnwell;
    case Kind::kMalformed:
    case Kind::kTooLarge:
    case Kind::kCancelled:
    case Kind::kStopped:
    case Kind::kOwnLimits:
      return Sign::kNone;
  }
  return Sign::kNone;
}

}  // namespace

Ticket BreakerClient::Send(HttpRequest request, Done done) {
  const std::optional<absl::Duration> wait = breaker_.Ask(clock_.Now());
  stats_.state = static_cast<int>(breaker_.state());
  if (wait.has_value()) {
    stats_.withheld.Add();
    std::move(done)(Withheld{Withheld::Kind::kCircuitOpen, *wait});
    return {};
  }
  return inner_.Send(std::move(request), [this, done = std::move(done)](HttpResult result) mutable {
    Learn(result);
    std::move(done)(std::move(result));
  });
}

void BreakerClient::Learn(const HttpResult& result) {
  switch (SignOf(result)) {
    case Sign::kWell:
      breaker_.Succeeded();
      break;
    case Sign::kUnwell:
      breaker_.Failed(clock_.Now());
      break;
    case Sign::kNone:
      breaker_.Abandoned();
      break;
  }
  stats_.state = static_cast<int>(breaker_.state());
}

}  // namespace pcap_gateway
