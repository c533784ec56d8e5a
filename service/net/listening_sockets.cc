#include "service/net/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

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

// Every address that is found but once: /etc/hosts may make two of one.
std::vector<const addrinfo*> Distinct(const Addresses& found) {
  std::vector<const addrinfo*> distinct;
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    const bool is_new = std::none_of(distinct.begin(), distinct.end(), [one](const auto* other) {
      return one->ai_addrlen == other->ai_addrlen &&
             std::memcmp(one->ai_addr, other->ai_addr, one->ai_addrlen) == 0;
    });
    if (is_new) distinct.push_back(one);
  }
  return distinct;
}

std::string Shown(const addrinfo& address) {
  std::array<char, NI_MAXHOST> text{};
  getnameinfo(address.ai_addr, address.ai_addrlen, text.data(), text.size(), nullptr, 0,
              NI_NUMERICHOST);
  return text.data();
}

// A name such as localhost may have addresses that this machine lacks.
bool IsOfAnotherMachine(int reason) { return reason == EADDRNOTAVAIL || reason == EAFNOSUPPORT; }

// A port that the first address got may be taken at another one: then there are others.
constexpr int kMostTries = 16;

}  // namespace

absl::StatusOr<ListeningSockets> ListeningSockets::Open(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return absl::InvalidArgumentError("it has no port");
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  const char* const port = &address[colon + 1];
  if (!IsWildcard(host)) return OpenAll(host.c_str(), port, false);
  // One socket for both families; where there is no IPv6, the other kind.
  absl::StatusOr<ListeningSockets> both = OpenAll("::", port, true);
  if (both.ok() || absl::IsAlreadyExists(both.status())) return both;
  return OpenAll("0.0.0.0", port, false);
}

absl::StatusOr<ListeningSockets> ListeningSockets::OpenAll(const char* host, const char* port,
                                                           bool dual_stack) {
  int error = 0;
  const Addresses found = Resolve(host, port, error);
  if (error != 0) return absl::UnavailableError(gai_strerror(error));
  const std::vector<const addrinfo*> all = Distinct(found);
  absl::Status status;
  for (int i = 0; i < kMostTries; ++i) {
    ListeningSockets opened;
    status = absl::OkStatus();
    absl::Status lacking;
    for (const addrinfo* one : all) {
      sockaddr_storage wanted{};
      std::memcpy(&wanted, one->ai_addr, one->ai_addrlen);
      const int its = opened.port_ != 0 ? opened.port_ : ntohs(PortIn(wanted));
      const int listener = ListenOn(*one, its, dual_stack);
      if (listener >= 0) {
        opened.sockets_.push_back(listener);
        opened.port_ = PortOf(listener);
        continue;
      }
      const int reason = errno;
      const std::string why = absl::StrCat(
          std::strerror(reason), all.size() > 1 ? absl::StrCat(" (", Shown(*one), ")") : "");
      if (IsOfAnotherMachine(reason)) {
        lacking = absl::UnavailableError(why);
        continue;
      }
      status = reason == EADDRINUSE ? absl::AlreadyExistsError(why) : absl::UnavailableError(why);
      break;
    }
    if (status.ok()) {
      if (!opened.sockets_.empty()) return opened;
      return lacking;
    }
    const bool port_was_free_to_choose = absl::string_view(port) == "0" && !opened.sockets_.empty();
    if (!port_was_free_to_choose) break;
  }
  return status;
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
