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
  return outcome.http_status == 401 || outcome.http_status == 403;
}

}  // namespace pcap_gateway
