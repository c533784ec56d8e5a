// Redis rehearsal: what a Redis has to do before it is trusted to do its part.
//
// A Redis that answers PING may be a replica, be full, belong to a cluster, or know us as a user
// without scripts. Found out only in use, that costs calls their time: a lock, say, that can be
// taken and not be given back.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_REHEARSAL_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_REHEARSAL_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

// Commands for RedisOptions::rehearsal: each that this room sends, and each that its scripts use,
// on keys of its own that are gone afterwards; and looks into so many slots that a node which does
// not have all of them says so.
std::vector<std::vector<std::string>> RedisRehearsal();

// The script among them.
absl::string_view RehearsalScript();

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_REHEARSAL_H_
