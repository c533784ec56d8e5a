// CurlPool: connections, and the transfers on them: one libcurl multi handle, driven by the loop.
//
// libcurl leaves a connection that is never idle alone for ever, and an HTTP/2 connection under
// load is never idle. So connections do not age, pools do: a new pool takes the new transfers,
// looks up the host's address again, and the old one ends with the last of its transfers.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_POOL_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_POOL_H_

#include <curl/curl.h>

#include <chrono>
#include <functional>
#include <memory>

#include "service/loop/event_loop.h"
#include "service/upstream/curl_transfer.h"

namespace pcap_gateway {

// libcurl's sockets on the loop. The loop's thread only.
class CurlSockets {
 public:
  // `loop` outlives it.
  explicit CurlSockets(EventLoop& loop) : loop_(loop) {}

  // Lets `transfer` open and close its sockets through this.
  CURLcode Attach(CurlTransfer& transfer);

  // When the process last had no descriptor or memory for a socket; the epoch: never.
  std::chrono::steady_clock::time_point last_shortage() const { return last_shortage_; }

 private:
  static curl_socket_t OnOpen(void* user, curlsocktype, curl_sockaddr* address);
  static int OnClose(void* user, curl_socket_t socket);

  EventLoop& loop_;
  std::chrono::steady_clock::time_point last_shortage_;
};

// The loop's thread only.
class CurlPool final : private SocketWatcher {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Null: libcurl has no memory for one. At most `most_connections` to one host are open. `worked`
  // runs when transfers may have come to their end. `loop` outlives it.
  static std::unique_ptr<CurlPool> Make(EventLoop& loop, int most_connections,
                                        std::function<void()> worked);

  // No transfer is in it any more.
  ~CurlPool();
  CurlPool(const CurlPool&) = delete;
  CurlPool& operator=(const CurlPool&) = delete;

  // `transfer` stays with the caller, who removes it again when it ends, or before.
  void Add(CurlTransfer& transfer);
  void Remove(CurlTransfer& transfer);

  // A transfer that has come to its end, and how; null: there is none just now.
  CurlTransfer* NextFinished(CURLcode& code);

  // Lets libcurl look after all transfers. Its socket API sets no timer for the next address of a
  // name (7.88), so while a connection is being made this is to be called now and then.
  void LookAfterAll();

  Time made_at() const { return made_at_; }
  bool empty() const { return transfers_ == 0; }

 private:
  CurlPool(CURLM* multi, EventLoop& loop, std::function<void()> worked);

  void Ready(int socket, int what) override;
  void Act(curl_socket_t socket, int flags);

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* user, void*);
  static int OnTimer(CURLM*, long milliseconds, void* user);

  CURLM* const multi_;
  EventLoop& loop_;
  const std::function<void()> worked_;
  const Time made_at_ = std::chrono::steady_clock::now();
  LoopTimer timer_;  // libcurl's
  int transfers_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_CURL_POOL_H_
