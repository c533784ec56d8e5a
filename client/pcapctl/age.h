// How long ago something was: "12 min", as tables show it.
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_AGE_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_AGE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace pcap_client {

// From `then` to `now` in its largest unit: "45 s", "12 min", "5 h", "23 d". What is to come is
// "in 12 min".
std::string AgeText(absl::Time then, absl::Time now);

// `time`, RFC 3339, with its age: "2026-11-23T05:14:43Z (5 d ago)". As it is where it is no time.
std::string WithAge(absl::string_view time, absl::Time now);

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_AGE_H_
