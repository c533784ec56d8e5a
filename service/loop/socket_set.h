// SocketSet: an epoll, and who wants to hear of its sockets.
#ifndef PCAP_GATEWAY_SERVICE_LOOP_SOCKET_SET_H_
#define PCAP_GATEWAY_SERVICE_LOOP_SOCKET_SET_H_

#include <cstdint>
#include <vector>

namespace pcap_gateway {

class SocketWatcher {
 public:
  // What a socket is ready for.
  static constexpr int kReadable = 1;
  static constexpr int kWritable = 2;
  static constexpr int kFailed = 4;  // told whatever is wanted

  // `what`: any of these. The loop's thread.
  virtual void Ready(int socket, int what) = 0;

 protected:
  ~SocketWatcher() = default;
};

// The loop's thread only.
class SocketSet {
 public:
  // `epoll` outlives it.
  explicit SocketSet(int epoll) : epoll_(epoll) {}
  SocketSet(const SocketSet&) = delete;
  SocketSet& operator=(const SocketSet&) = delete;

  // That `socket` is there now, and that it is closed, or about to be. Both are said of each
  // socket.
  void Opened(int socket);
  void Closed(int socket);

  // Has `watcher` told when `socket` is ready for `wanted` (kReadable, kWritable, both), or no more
  // (0). Where the kernel has no memory for that, it is tried again.
  void Watch(int socket, int wanted, SocketWatcher* watcher);

  // The loop's part of the work: what one epoll_wait found, event by event; and what was refused.
  void BeginTurn() { ++turn_; }
  void Handle(int socket, uint32_t events);
  bool any_refused() const { return !refused_.empty(); }
  void RetryRefused();

 private:
  // What epoll watches of a socket (`registered`), and what is wanted. They differ while a
  // connection is idle: taking it out of epoll and putting it back would be two system calls a
  // request. Only of sockets that are told of when they close.
  struct Entry {
    SocketWatcher* watcher = nullptr;
    uint32_t wanted = 0;
    uint32_t registered = 0;
    bool is_told_of = false;
    uint64_t closed_in = 0;  // turn; what that turn brings is the former socket's
  };

  Entry& Of(int socket);
  void Register(int socket, Entry& entry, uint32_t events);

  const int epoll_;
  uint64_t turn_ = 0;
  std::vector<Entry> entries_;  // by file descriptor
  std::vector<int> refused_;    // some may be closed, or unwanted, by now
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_LOOP_SOCKET_SET_H_
