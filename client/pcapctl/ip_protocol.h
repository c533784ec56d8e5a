// IP protocols by name; IANA, "Assigned Internet Protocol Numbers".
#ifndef PCAP_GATEWAY_CLIENT_PCAPCTL_IP_PROTOCOL_H_
#define PCAP_GATEWAY_CLIENT_PCAPCTL_IP_PROTOCOL_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace pcap_client {

// The name of one that people filter by; empty: it is another.
absl::string_view IpProtocolName(uint32_t number);

// Of "6", "tcp" or "TCP"; absent: `text` is neither a number up to 255 nor a name.
std::optional<uint32_t> IpProtocolNumber(absl::string_view text);

// "icmp, igmp, …".
std::string IpProtocolNames();

}  // namespace pcap_client

#endif  // PCAP_GATEWAY_CLIENT_PCAPCTL_IP_PROTOCOL_H_
