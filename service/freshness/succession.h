// Succession: what a new outcome does to the one that is kept. Pure functions.
#ifndef PCAP_GATEWAY_SERVICE_FRESHNESS_SUCCESSION_H_
#define PCAP_GATEWAY_SERVICE_FRESHNESS_SUCCESSION_H_

#include "service/source/outcome.h"

namespace pcap_gateway {

// A capture that was final cannot move again: who says so lags behind.
bool FallsBehind(const Outcome& outcome, const Outcome& kept);

// What `kept` says, as of when `later` said that the capture is still there.
OutcomePtr Confirmed(const Outcome& kept, const Outcome& later);

// Whether the write that ended so may have changed something.
bool MayHaveWritten(const Outcome& outcome);

// Whether that write may have made out of date what is kept: unless it was never sent, or refused
// by Cloudflare. `sendings`: how often it was; what was sent again may have been done before it was
// refused.
bool MayOutdate(const Outcome& outcome, int sendings);

// What it says that the credential may not see, whatever it was shown before.
Denies DeniedBy(const Outcome& outcome);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_FRESHNESS_SUCCESSION_H_
