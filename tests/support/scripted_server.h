// ScriptedServer: a TCP server on loopback that answers HTTP/1.1 requests with whatever bytes a
// test wants, so that a client meets what no decent server sends.
//
//   ScriptedServer server([](const std::string& request) { return Bytes{"HTTP/1.1 200 OK\r\n…"};
//   }); client.Send({.url = server.url() + "/path"}, …);
#ifndef PCAP_GATEWAY_TESTS_SUPPORT_SCRIPTED_SERVER_H_
#define PCAP_GATEWAY_TESTS_SUPPORT_SCRIPTED_SERVER_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/event.h"

namespace pcap_gateway {

// What is done with one request.
struct Bytes {
  std::string text;  // sent as it is
  enum class Then {
    kKeepOpen,  // read the next request
    kClose,     // in an orderly way
    kReset,     // RST
    kHang,      // send no more, until the client goes
    kDrip,      // send `drip` every few milliseconds, until the client goes
  } then = Then::kKeepOpen;
  std::string drip;
};

// An answer as a decent server gives it.
inline Bytes Answer(int status, absl::string_view body,
                    absl::string_view headers = "Content-Type: application/json\r\n") {
  return {absl::StrCat("HTTP/1.1 ", status, " Whatever\r\n", headers,
                       "Content-Length: ", body.size(), "\r\n\r\n", body)};
}

// One thread a connection. The handler is called from these threads.
class ScriptedServer {
 public:
  using Handler = std::function<Bytes(const std::string& request)>;

  explicit ScriptedServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(listener_, 64);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { Accept(); });
  }

  ~ScriptedServer() {
    shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int connection : connections_) shutdown(connection, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    for (const int connection : connections_) close(connection);
    close(listener_);
  }

  int port() const { return port_; }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", port_); }

  // Connections accepted so far.
  size_t connections() const {
    const std::lock_guard lock(mutex_);
    return connections_.size();
  }

  // Blocks until a client closes or resets its connection. False: it did not.
  bool AwaitClientGone() { return client_gone_.Await(); }

 private:
  void Accept() {
    for (;;) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      const std::lock_guard lock(mutex_);
      connections_.push_back(connection);
      threads_.emplace_back([this, connection] { Serve(connection); });
    }
  }

  void Serve(int connection) {
    std::string request;
    while (ReadRequest(connection, request)) {
      const Bytes bytes = handler_(request);
      send(connection, bytes.text.data(), bytes.text.size(), MSG_NOSIGNAL);
      if (bytes.then == Bytes::Then::kKeepOpen) continue;
      if (bytes.then == Bytes::Then::kHang) {
        ReadRequest(connection, request);  // returns when the client goes
      } else if (bytes.then == Bytes::Then::kDrip) {
        Drip(connection, bytes.drip);
      } else if (bytes.then == Bytes::Then::kReset) {
        const linger at_once{1, 0};
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        // A reset needs a close; the number is kept from reuse by a duplicate of the listener.
        dup2(listener_, connection);
      } else {
        shutdown(connection, SHUT_RDWR);
      }
      return;
    }
  }

  void Drip(int connection, const std::string& drop) {
    pollfd gone{connection, POLLIN, 0};
    while (poll(&gone, 1, 5) == 0) send(connection, drop.data(), drop.size(), MSG_NOSIGNAL);
    client_gone_.Happen();
  }

  bool ReadRequest(int connection, std::string& request) {
    request.clear();
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = recv(connection, buffer, sizeof(buffer), 0);
      if (count <= 0) {
        client_gone_.Happen();
        return false;
      }
      request.append(buffer, static_cast<size_t>(count));
    }
    return true;
  }

  const Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::thread accepting_;
  Event client_gone_;
  mutable std::mutex mutex_;
  std::vector<int> connections_;
  std::vector<std::thread> threads_;  // added to by `accepting_` alone
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_SUPPORT_SCRIPTED_SERVER_H_
