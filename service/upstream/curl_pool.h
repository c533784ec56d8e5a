// CurlPool: connections, and the transfers on them: one libcurl multi handle, driven by an epoll
// that several pools share.
//
// libcurl leaves a connection that is never idle alone for ever, and an HTTP/2 connection under
// load is never idle. So connections do not age, pools do: a new pool takes the new transfers,
// looks up the host's address anew, and the old one ends with the last of its transfers.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_POOL_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_POOL_H_

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "service/upstream/curl_transfer.h"

namespace pcap_gateway {

// libcurl's sockets in an epoll. The loop's thread only.
class CurlSockets {
 public:
  // `epoll` outlives it.
  explicit CurlSockets(int epoll) : epoll_(epoll) {}

  // Lets `transfer` open and close its sockets through this.
  CURLcode Attach(CurlTransfer& transfer);

  // libcurl's wish for a socket: watch it for reading, writing, both, or no more (CURL_POLL_*).
  void Watch(curl_socket_t socket, int what, CurlPool* pool);

  // Passes an event on to the socket's pool.
  void Handle(curl_socket_t socket, uint32_t events);

  // Whether epoll would not watch a socket as wanted, having no memory for it; and asks it again.
  bool any_refused() const { return !refused_.empty(); }
  void RetryRefused();

  // When the process last had no descriptor or memory for a socket; the epoch: never.
  std::chrono::steady_clock::time_point last_shortage() const { return last_shortage_; }

 private:
  // What epoll watches of a socket (`registered`), and what libcurl wants watched (`wanted`). They
  // differ while a connection is idle: taking it out of epoll and putting it back would be two
  // system calls a request. Only connections may differ, as of those we hear when they close; of
  // the resolver's sockets we do not.
  struct Entry {
    CurlPool* pool = nullptr;
    uint32_t wanted = 0;
    uint32_t registered = 0;
    bool connection = false;
  };

  static curl_socket_t OnOpen(void* user, curlsocktype, curl_sockaddr* address);
  static int OnClose(void* user, curl_socket_t socket);

  Entry& Of(curl_socket_t socket);
  void Register(curl_socket_t socket, Entry& entry, uint32_t events);

  const int epoll_;
  std::vector<Entry> entries_;          // by file descriptor
  std::vector<curl_socket_t> refused_;  // some may be closed, or unwanted, by now
  std::chrono::steady_clock::time_point last_shortage_;
};

// The loop's thread only.
class CurlPool {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Null: libcurl has no memory for one. At most `most_connections` to one host are open.
  // `sockets` outlives it.
  static std::unique_ptr<CurlPool> Make(CurlSockets& sockets, int most_connections);

  // No transfer is in it any more.
  ~CurlPool();

  // `transfer` stays with the caller, who removes it again when it ends, or before.
  void Add(CurlTransfer& transfer);
  void Remove(CurlTransfer& transfer);

  // A transfer that has come to its end, and how; null: there is none just now.
  CurlTransfer* NextFinished(CURLcode& code);

  // When HandleTimer is to be called; absent: libcurl waits for sockets alone.
  std::optional<Time> timer() const { return timer_; }
  void HandleTimer(Time now);

  // `flags`: CURL_CSELECT_*.
  void HandleSocket(curl_socket_t socket, int flags);

  // Lets libcurl look after all transfers. Its socket API sets no timer for the next address of a
  // name (7.88), so while a connection is being made this is to be called now and then.
  void LookAfterAll();

  Time made_at() const { return made_at_; }
  bool empty() const { return transfers_ == 0; }

 private:
  CurlPool(CURLM* multi, CurlSockets& sockets) : multi_(multi), sockets_(sockets) {}

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* user, void*);
  static int OnTimer(CURLM*, long milliseconds, void* user);

  CURLM* const multi_;
  CurlSockets& sockets_;
  const Time made_at_ = std::chrono::steady_clock::now();
  std::optional<Time> timer_;
  int transfers_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_POOL_H_
