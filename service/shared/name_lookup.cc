#include "service/shared/name_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

namespace pcap_gateway {
std::vector<std::string> AddressesOf(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<std::string> addresses;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return addresses;
  for (const addrinfo* next = found; next != nullptr; next = next->ai_next) {
    char address[NI_MAXHOST] = "";
    if (getnameinfo(next->ai_addr, next->ai_addrlen, address, sizeof(address), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      addresses.emplace_back(address);
    }
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace pcap_gateway
