#include "service/loop/socket_set.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace pcap_gateway {

void SocketSet::Opened(int socket) {
  Entry& entry = Of(socket);
  entry = Entry{.is_told_of = true, .closed_in = entry.closed_in};
}

// The kernel forgets a closed descriptor by itself; the number may come back as another socket.
void SocketSet::Closed(int socket) { Of(socket) = Entry{.closed_in = turn_}; }

void SocketSet::Watch(int socket, int wanted, SocketWatcher* watcher) {
  Entry& entry = Of(socket);
  entry.watcher = watcher;
  entry.wanted = 0;
  if ((wanted & SocketWatcher::kReadable) != 0) entry.wanted |= EPOLLIN;
  if ((wanted & SocketWatcher::kWritable) != 0) entry.wanted |= EPOLLOUT;
  const bool leave = entry.wanted == 0 && entry.is_told_of;
  if (!leave && entry.wanted != entry.registered) Register(socket, entry, entry.wanted);
}

void SocketSet::Handle(int socket, uint32_t events) {
  Entry& entry = Of(socket);
  if (entry.closed_in == turn_) return;
  if (entry.wanted == 0) {
    // An idle connection that the other side closed, or spoke on. Its owner finds out when it wants
    // to use it.
    Register(socket, entry, 0);
    return;
  }
  const int what = ((events & EPOLLIN) != 0 ? SocketWatcher::kReadable : 0) |
                   ((events & EPOLLOUT) != 0 ? SocketWatcher::kWritable : 0) |
                   ((events & (EPOLLERR | EPOLLHUP)) != 0 ? SocketWatcher::kFailed : 0);
  entry.watcher->Ready(socket, what);
}

SocketSet::Entry& SocketSet::Of(int socket) {
  const auto index = static_cast<size_t>(socket);
  if (index >= entries_.size()) entries_.resize(index + 64);
  return entries_[index];
}

void SocketSet::Register(int socket, Entry& entry, uint32_t events) {
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

void SocketSet::RetryRefused() {
  for (const int socket : std::exchange(refused_, {})) {
    Entry& entry = Of(socket);
    if (entry.wanted != 0 && entry.wanted != entry.registered) {
      Register(socket, entry, entry.wanted);
    }
  }
}

}  // namespace pcap_gateway
