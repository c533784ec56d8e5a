#include "service/shared/name_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <system_error>
#include <thread>
#include <utility>

namespace pcap_gateway {
namespace {

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

}  // namespace

std::shared_ptr<NameLookup> NameLookup::Start(std::string host, Done done) {
  std::shared_ptr<NameLookup> lookup(new NameLookup(std::move(done)));
  try {
    std::thread([lookup, host = std::move(host)] { lookup->Finish(AddressesOf(host)); }).detach();
  } catch (const std::system_error&) {
    return nullptr;
  }
  return lookup;
}

void NameLookup::Abandon() {
  const std::lock_guard lock(mutex_);
  done_ = nullptr;
}

void NameLookup::Finish(std::vector<std::string> addresses) {
  const std::lock_guard lock(mutex_);
  if (done_) std::exchange(done_, nullptr)(std::move(addresses));
}

}  // namespace pcap_gateway
