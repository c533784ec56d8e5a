// Acceptor: takes connections from listening sockets, counts them, and turns away those that are
// too many.
//
//   Acceptor acceptor(*std::move(sockets), 10'000, hand_over, log);
//   if (!acceptor.Start()) return;
//   acceptor.Stop();
//
// gRPC 1.51 has an accept loop of its own, which gives a listener up for good when the process is
// out of file descriptors (tcp_server_posix.cc, on_read): a flood would leave the server deaf. This
// one waits and tries again, and keeps descriptors free for the rest of the process.
//
// A connection that is one too many is closed without a word. SETTINGS and a GOAWAY that says why
// would be more polite, but gRPC's clients take a server that sends SETTINGS for one that works:
// they connect again at once, without their back-off, hundreds of times a second, and calls hang
// till their deadline. After a bare close they report UNAVAILABLE and back off.
//
// Whose the connections are after that is not known here: they are closed somewhere else, and
// nobody tells. But a descriptor that is open and shows the inode that it had is still the same
// connection, and inodes of open sockets are unique. They are looked at when the count matters: at
// the limit, and when somebody asks.
#ifndef PCAP_GATEWAY_SERVICE_RPC_ACCEPTOR_H_
#define PCAP_GATEWAY_SERVICE_RPC_ACCEPTOR_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "service/base/counter.h"
#include "service/base/mutex.h"
#include "service/net/listening_sockets.h"
#include "service/net/poll_thread.h"

namespace pcap_gateway {

class Acceptor {
 public:
  // Owns the descriptor from then on. Non-blocking, close-on-exec.
  using HandOver = std::function<void(int connection)>;
  // One line for operators, about connections that cannot be taken. Of a kind, one in ten seconds.
  using Log = std::function<void(const std::string& line)>;

  // `most_connections` at once; 0: any number. The functions are called on the acceptor's thread;
  // `log` may be null.
  Acceptor(ListeningSockets sockets, int64_t most_connections, HandOver hand_over, Log log);

  // Stops.
  ~Acceptor();

  // Starts the thread. Once. False: the process is out of descriptors or threads.
  bool Start();

  // Hands over what waits to be accepted, and closes the listening sockets: nobody is listening
  // when this returns. More than once is allowed; from one thread.
  void Stop();

  int port() const { return port_; }

  // Connections that are open now. Looks at each: about a millisecond for a few thousand. Any
  // thread.
  int64_t connections();

  // Connections that were too many. Any thread.
  const Counter& refused() const { return refused_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Next { kAgain, kEmpty, kPause };

  void Run(int stop);
  void AcceptAll();
  Next AcceptOne(int listener);
  void Take(int connection);
  bool HasRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Say(Clock::time_point& next, const std::string& line);

  const int64_t most_connections_;
  const HandOver hand_over_;
  const Log log_;
  ListeningSockets sockets_;
  const int port_;
  Counter refused_;
  PollThread thread_;

  // The acceptor's thread only.
  bool pausing_ = false;
  Clock::time_point next_sweep_;
  Clock::time_point next_line_of_full_;
  Clock::time_point next_line_of_pause_;

  Mutex mutex_;
  // By descriptor: the inode of the connection that it was; 0: none.
  std::vector<ino_t> inodes_ ABSL_GUARDED_BY(mutex_);
  int64_t taken_ ABSL_GUARDED_BY(mutex_) =
      0;  // entries of `inodes_` that are not 0: at least the open connections
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_RPC_ACCEPTOR_H_
