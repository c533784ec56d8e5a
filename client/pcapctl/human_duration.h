// A duration as people write it.
//
//   HumanDuration(absl::Seconds(300)) == "5 min"
//   HumanDuration(absl::Milliseconds(1500)) == "1.5 s"
//   HumanDuration(absl::Seconds(3661)) == "1 h 1 min 1 s"
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_HUMAN_DURATION_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_HUMAN_DURATION_H_

#include <string>

#include "absl/time/time.h"

namespace pcap_client {

// Exact to the nanosecond; parts that are 0 are left out. "0 s" for none at all.
std::string HumanDuration(absl::Duration duration);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_HUMAN_DURATION_H_
