#include "service/rpc/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pcap_gateway {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// The kernel cuts it to net.core.somaxconn.
constexpr int kBacklog = 65535;

// As gRPC has it for its own listeners with our keepalive: what was sent and is not acknowledged
// for so long ends the connection. In milliseconds.
constexpr unsigned kUserTimeout = 20'000;

bool IsWildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

uint16_t& PortIn(sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                       : reinterpret_cast<sockaddr_in&>(address).sin_port;
}

int PortOf(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(PortIn(address));
}

bool Set(int socket, int level, int name, int value) {
  return setsockopt(socket, level, name, &value, sizeof(value)) == 0;
}

// What is set here, accepted connections inherit. SO_REUSEADDR is for the port of a process that
// has just ended; without SO_REUSEPORT a second listener on the port fails.
bool Prepare(int listener, int family, bool dual_stack) {
  return Set(listener, SOL_SOCKET, SO_REUSEADDR, 1) && Set(listener, IPPROTO_TCP, TCP_NODELAY, 1) &&
         Set(listener, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeout) &&
         (family != AF_INET6 || Set(listener, IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1));
}

// -1 and errno where it cannot be. `port` instead of the address' own.
int ListenOn(const addrinfo& meaning, int port, bool dual_stack) {
  sockaddr_storage address{};
  std::memcpy(&address, meaning.ai_addr, meaning.ai_addrlen);
  PortIn(address) = htons(static_cast<uint16_t>(port));
  const int listener = socket(meaning.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -1;
  if (Prepare(listener, meaning.ai_family, dual_stack) &&
      bind(listener, reinterpret_cast<sockaddr*>(&address), meaning.ai_addrlen) == 0 &&
      listen(listener, kBacklog) == 0) {
    return listener;
  }
  const int reason = errno;
  close(listener);
  errno = reason;
  return -1;
}

// Null where the name has no address; `error` is then getaddrinfo's.
Addresses Resolve(const char* host, const char* port, int& error) {
  const addrinfo hints{.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  error = getaddrinfo(host, port, &hints, &found);
  return {error == 0 ? found : nullptr, freeaddrinfo};
}

}  // namespace

absl::StatusOr<ListeningSockets> ListeningSockets::Open(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return absl::InvalidArgumentError("it has no port");
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);

  ListeningSockets opened;
  int error = 0;
  int reason = 0;
  const auto open_all = [&](const char* of, bool dual_stack) {
    const Addresses found = Resolve(of, &address[colon + 1], error);
    for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
      sockaddr_storage wanted{};
      std::memcpy(&wanted, one->ai_addr, one->ai_addrlen);
      const int port = opened.port_ != 0 ? opened.port_ : ntohs(PortIn(wanted));
      const int listener = ListenOn(*one, port, dual_stack);
      if (listener < 0) {
        reason = errno;
        continue;
      }
      opened.sockets_.push_back(listener);
      opened.port_ = PortOf(listener);
    }
  };
  // One socket for both families; where there is no IPv6, the other kind.
  if (IsWildcard(host)) open_all("::", true);
  if (opened.sockets_.empty() && !(IsWildcard(host) && reason == EADDRINUSE)) {
    open_all(IsWildcard(host) ? "0.0.0.0" : host.c_str(), false);
  }
  if (!opened.sockets_.empty()) return opened;
  return absl::UnavailableError(error != 0 ? gai_strerror(error) : std::strerror(reason));
}

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept { *this = std::move(other); }

ListeningSockets& ListeningSockets::operator=(ListeningSockets&& other) noexcept {
  std::swap(sockets_, other.sockets_);
  std::swap(port_, other.port_);
  return *this;
}

ListeningSockets::~ListeningSockets() {
  for (const int socket : sockets_) close(socket);
}

}  // namespace pcap_gateway
