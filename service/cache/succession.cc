#include "service/cache/succession.h"

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

bool TakesAway(const Outcome& outcome) {
  // Not by the status: a proxy's 401 is no word of Cloudflare's.
  return !outcome.ok() && (outcome.error->reason == Reason::kUpstreamUnauthenticated ||
                           outcome.error->reason == Reason::kUpstreamPermissionDenied ||
                           outcome.error->reason == Reason::kUpstreamCredentialsRejected);
}

}  // namespace pcap_gateway
