// Name look-up: the addresses of a host name, by the C library.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_NAME_LOOKUP_H_
#define PCAP_GATEWAY_SERVICE_SHARED_NAME_LOOKUP_H_

#include <string>
#include <vector>

namespace pcap_gateway {

// Numeric addresses, in the order in which they are to be tried; none: the name has none. Waits for
// DNS, perhaps half a minute: see Aside.
std::vector<std::string> AddressesOf(const std::string& host);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_NAME_LOOKUP_H_
