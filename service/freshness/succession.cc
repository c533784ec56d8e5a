#include "service/freshness/succession.h"

#include <memory>

namespace pcap_gateway {

bool FallsBehind(const Outcome& outcome, const Outcome& kept) {
  return outcome.ok() && kept.ok() && outcome.stage == Stage::kMoving &&
         kept.stage == Stage::kFinal;
}

OutcomePtr Confirmed(const Outcome& kept, const Outcome& later) {
  auto outcome = std::make_shared<Outcome>();
  outcome->as_of = later.as_of;
  outcome->message = kept.message;
  outcome->stage = kept.stage;
  outcome->run = kept.run;
  outcome->http_status = later.http_status;
  outcome->cf_ray = later.cf_ray;
  return outcome;
}

bool MayHaveWritten(const Outcome& outcome) {
  return outcome.ok() || outcome.error->reason == Reason::kOutcomeUnknown;
}

bool MayOutdate(const Outcome& outcome, int sendings) {
  if (MayHaveWritten(outcome) || sendings > 1) return true;
  if (sendings == 0 || DeniedBy(outcome) != Denies::kNothing) return false;
  switch (outcome.error->code) {
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

Denies DeniedBy(const Outcome& outcome) {
  return outcome.ok() ? Denies::kNothing : outcome.error->denies;
}

}  // namespace pcap_gateway
