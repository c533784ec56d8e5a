#include "service/upstream/curl_pool.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace pcap_gateway {
namespace {

// Bytes sent and not acknowledged for so long mean that the other side, or the way to it, is gone:
// the kernel would go on trying for a quarter of an hour.
constexpr int kUnacknowledgedMilliseconds = 10'000;

// Streams that are put on one HTTP/2 connection, as far as the server allows as many; libcurl's own
// limit is 100.
constexpr long kMostStreams = 1000;

}  // namespace

CURLcode CurlSockets::Attach(CurlTransfer& transfer) {
  return EasySetup(transfer.easy)
      .Set(CURLOPT_OPENSOCKETFUNCTION, &OnOpen)
      .Set(CURLOPT_OPENSOCKETDATA, &transfer)
      .Set(CURLOPT_CLOSESOCKETFUNCTION, &OnClose)
      .Set(CURLOPT_CLOSESOCKETDATA, this)
      .code();
}

curl_socket_t CurlSockets::OnOpen(void* user, curlsocktype, curl_sockaddr* address) {
  // libcurl makes it non-blocking too, but goes on where that fails; and then the loop would wait.
  const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                              address->protocol);
  auto& transfer = *static_cast<CurlTransfer*>(user);
  CurlSockets& sockets = *transfer.sockets;
  transfer.NoteAddress(address->addr);
  if (socket < 0) {
    // The other errors are of the address.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      sockets.last_shortage_ = std::chrono::steady_clock::now();
    }
    return CURL_SOCKET_BAD;
  }
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMilliseconds,
             sizeof(kUnacknowledgedMilliseconds));
  sockets.loop_.sockets().Opened(socket);
  return socket;
}

int CurlSockets::OnClose(void* user, curl_socket_t socket) {
  static_cast<CurlSockets*>(user)->loop_.sockets().Closed(socket);
  return close(socket);
}

std::unique_ptr<CurlPool> CurlPool::Make(EventLoop& loop, int most_connections,
                                         std::function<void()> worked) {
  CURLM* const multi = curl_multi_init();
  if (multi == nullptr) return nullptr;
  std::unique_ptr<CurlPool> pool(new CurlPool(multi, loop, std::move(worked)));
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &CurlPool::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, pool.get());
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &CurlPool::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, pool.get());
  curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, kMostStreams);
  const auto most = static_cast<long>(most_connections);
  curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, most);
  // Otherwise libcurl keeps four idle connections for each request in flight, so none when none is.
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, most);
  // Since libcurl 8.20 its end would wait for look-ups of names; an older one does not know this.
  constexpr auto kQuickExit = static_cast<CURLMoption>(CURLOPTTYPE_LONG + 21);
  curl_multi_setopt(multi, kQuickExit, 1L);
  return pool;
}

CurlPool::CurlPool(CURLM* multi, EventLoop& loop, std::function<void()> worked)
    : multi_(multi),
      loop_(loop),
      worked_(std::move(worked)),
      timer_(loop, [this] { Act(CURL_SOCKET_TIMEOUT, 0); }) {}

CurlPool::~CurlPool() { curl_multi_cleanup(multi_); }

void CurlPool::Add(CurlTransfer& transfer) {
  transfer.pool = this;
  ++transfers_;
  curl_multi_add_handle(multi_, transfer.easy);
}

void CurlPool::Remove(CurlTransfer& transfer) {
  curl_multi_remove_handle(multi_, transfer.easy);
  transfer.pool = nullptr;
  --transfers_;
}

CurlTransfer* CurlPool::NextFinished(CURLcode& code) {
  int left;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    code = message->data.result;
    char* user = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
    return reinterpret_cast<CurlTransfer*>(user);
  }
  return nullptr;
}

void CurlPool::LookAfterAll() {
  int running;
  // Deprecated in favour of curl_multi_socket_action, which cannot reach a transfer that has
  // neither a socket nor a timer.
  CURL_IGNORE_DEPRECATION(curl_multi_socket_all(multi_, &running);)
  worked_();
}

void CurlPool::Ready(int socket, int what) {
  Act(socket, ((what & kReadable) != 0 ? CURL_CSELECT_IN : 0) |
                  ((what & kWritable) != 0 ? CURL_CSELECT_OUT : 0) |
                  ((what & kFailed) != 0 ? CURL_CSELECT_ERR : 0));
}

void CurlPool::Act(curl_socket_t socket, int flags) {
  int running;
  curl_multi_socket_action(multi_, socket, flags, &running);
  worked_();
}

int CurlPool::OnSocket(CURL*, curl_socket_t socket, int what, void* user, void*) {
  CurlPool* const pool = static_cast<CurlPool*>(user);
  const bool reads = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
  const bool writes = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
  pool->loop_.sockets().Watch(socket, (reads ? kReadable : 0) | (writes ? kWritable : 0), pool);
  return 0;
}

int CurlPool::OnTimer(CURLM*, long milliseconds, void* user) {
  CurlPool& pool = *static_cast<CurlPool*>(user);
  if (milliseconds < 0) {
    pool.timer_.Clear();
  } else {
    pool.timer_.Set(std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds));
  }
  return 0;
}

}  // namespace pcap_gateway
