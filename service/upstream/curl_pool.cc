#include "service/upstream/curl_pool.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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

void CurlSockets::Watch(curl_socket_t socket, int what, CurlPool* pool) {
  Entry& entry = Of(socket);
  entry.pool = pool;
  entry.wanted = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) entry.wanted |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) entry.wanted |= EPOLLOUT;
  const bool leave = entry.wanted == 0 && entry.connection;
  if (!leave && entry.wanted != entry.registered) Register(socket, entry, entry.wanted);
}

void CurlSockets::Handle(curl_socket_t socket, uint32_t events) {
  Entry& entry = Of(socket);
  if (entry.wanted == 0) {
    // An idle connection that the server closed, or spoke on. libcurl finds out when it wants to
    // use it.
    Register(socket, entry, 0);
    return;
  }
  const int flags = ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                    ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                    ((events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
  entry.pool->HandleSocket(socket, flags);
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
  sockets.Of(socket) = Entry{.connection = true};
  return socket;
}

// The kernel forgets a closed descriptor by itself; the number may come back as another connection.
int CurlSockets::OnClose(void* user, curl_socket_t socket) {
  static_cast<CurlSockets*>(user)->Of(socket) = Entry();
  return close(socket);
}

CurlSockets::Entry& CurlSockets::Of(curl_socket_t socket) {
  const auto index = static_cast<size_t>(socket);
  if (index >= entries_.size()) entries_.resize(index + 64);
  return entries_[index];
}

void CurlSockets::Register(curl_socket_t socket, Entry& entry, uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = socket}};
  const int operation = events == 0             ? EPOLL_CTL_DEL
                        : entry.registered == 0 ? EPOLL_CTL_ADD
                                                : EPOLL_CTL_MOD;
  int result = epoll_ctl(epoll_, operation, socket, &event);
  // A socket that was closed unheard, or came back under its old number: the record is wrong, not
  // the wish.
  if (result != 0 && operation == EPOLL_CTL_MOD && errno == ENOENT) {
    entry.registered = 0;
    result = epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  } else if (result != 0 && operation == EPOLL_CTL_ADD && errno == EEXIST) {
    result = epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event);
  }
  if (result != 0 && operation != EPOLL_CTL_DEL) {
    if (std::find(refused_.begin(), refused_.end(), socket) == refused_.end()) {
      refused_.push_back(socket);
    }
    return;
  }
  entry.registered = events;
}

void CurlSockets::RetryRefused() {
  for (const curl_socket_t socket : std::exchange(refused_, {})) {
    Entry& entry = Of(socket);
    if (entry.wanted != 0 && entry.wanted != entry.registered) {
      Register(socket, entry, entry.wanted);
    }
  }
}

std::unique_ptr<CurlPool> CurlPool::Make(CurlSockets& sockets, int most_connections) {
  CURLM* const multi = curl_multi_init();
  if (multi == nullptr) return nullptr;
  std::unique_ptr<CurlPool> pool(new CurlPool(multi, sockets));
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &CurlPool::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, pool.get());
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &CurlPool::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, pool.get());
  curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, kMostStreams);
  const auto most = static_cast<long>(most_connections);
  curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, most);
  // Otherwise libcurl keeps four idle connections for each request in flight, so none when none is.
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, most);
  return pool;
}

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

void CurlPool::HandleTimer(Time now) {
  if (!timer_.has_value() || *timer_ > now) return;
  timer_.reset();
  int running;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
}

void CurlPool::LookAfterAll() {
  int running;
  // Deprecated in favour of curl_multi_socket_action, which cannot reach a transfer that has
  // neither a socket nor a timer.
  CURL_IGNORE_DEPRECATION(curl_multi_socket_all(multi_, &running);)
}

void CurlPool::HandleSocket(curl_socket_t socket, int flags) {
  int running;
  curl_multi_socket_action(multi_, socket, flags, &running);
}

int CurlPool::OnSocket(CURL*, curl_socket_t socket, int what, void* user, void*) {
  CurlPool* const pool = static_cast<CurlPool*>(user);
  pool->sockets_.Watch(socket, what, pool);
  return 0;
}

int CurlPool::OnTimer(CURLM*, long milliseconds, void* user) {
  CurlPool& pool = *static_cast<CurlPool*>(user);
  if (milliseconds < 0) {
    pool.timer_.reset();
  } else {
    pool.timer_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  }
  return 0;
}

}  // namespace pcap_gateway
