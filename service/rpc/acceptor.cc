#include "service/rpc/acceptor.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/mutex.h"

namespace pcap_gateway {
namespace {

// After which the process may have descriptors or memory again.
constexpr int kPauseMilliseconds = 100;

// At the limit connections are counted no more often than that: the count is what each refusal
// would cost most.
constexpr std::chrono::milliseconds kBetweenSweeps{50};

// A flood is not to be one in the log, too.
constexpr std::chrono::seconds kBetweenLines{10};

// Connections of one listener that are taken before the others have their turn.
constexpr int kInARow = 64;

// 0: not open.
ino_t InodeOf(int descriptor) {
  struct stat found;
  return fstat(descriptor, &found) == 0 ? found.st_ino : 0;
}

}  // namespace

Acceptor::Acceptor(ListeningSockets sockets, int64_t most_connections, HandOver hand_over, Log log)
    : most_connections_(most_connections),
      hand_over_(std::move(hand_over)),
      log_(std::move(log)),
      sockets_(std::move(sockets)),
      port_(sockets_.port()) {}

Acceptor::~Acceptor() { Stop(); }

bool Acceptor::Start() {
  return thread_.Start([this](int stop) { Run(stop); });
}

void Acceptor::Stop() {
  thread_.Stop();
  sockets_ = ListeningSockets();
}

int64_t Acceptor::connections() {
  const Lock lock(mutex_);
  return Sweep();
}

void Acceptor::Run(int stop) {
  std::vector<pollfd> waited = {{.fd = stop, .events = POLLIN}};
  for (const int listener : sockets_.sockets()) {
    waited.push_back({.fd = listener, .events = POLLIN});
  }
  while (true) {
    // While it pauses, listeners would be ready at once, again and again.
    poll(waited.data(), pausing_ ? 1 : waited.size(), pausing_ ? kPauseMilliseconds : -1);
    pausing_ = false;
    AcceptAll();
    // After the last look: what had come before the end is handed over.
    if ((waited[0].revents & POLLIN) != 0) break;
  }
}

void Acceptor::AcceptAll() {
  for (const int listener : sockets_.sockets()) {
    Next next = Next::kAgain;
    for (int i = 0; i < kInARow && next == Next::kAgain; ++i) next = AcceptOne(listener);
    if (next == Next::kPause) pausing_ = true;
  }
}

Acceptor::Next Acceptor::AcceptOne(int listener) {
  const int connection = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (connection >= 0) {
    Take(connection);
    return Next::kAgain;
  }
  switch (errno) {
    case EAGAIN:
      return Next::kEmpty;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      Say(next_line_of_pause_,
          absl::StrCat("new connections have to wait: ", std::strerror(errno)));
      return Next::kPause;
    default:
      // The connection's own trouble, of which Linux tells in this way (accept(2)): it is gone.
      return Next::kAgain;
  }
}

void Acceptor::Take(int connection) {
  const ino_t inode = InodeOf(connection);
  bool room;
  {
    const Lock lock(mutex_);
    room = HasRoom();
    if (room) {
      if (inodes_.size() <= static_cast<size_t>(connection)) inodes_.resize(connection + 1);
      // The number was another connection's, which is gone then.
      if (inodes_[connection] == 0) ++taken_;
      inodes_[connection] = inode;
    }
  }
  if (room) return hand_over_(connection);
  refused_.Add();
  close(connection);
  Say(next_line_of_full_,
      absl::StrCat("there are ", most_connections_,
                   " connections, as many as may be; refused so far: ", refused_.Value()));
}

bool Acceptor::HasRoom() {
  if (most_connections_ == 0 || taken_ < most_connections_) return true;
  const Clock::time_point now = Clock::now();
  if (now < next_sweep_) return false;
  next_sweep_ = now + kBetweenSweeps;
  return Sweep() < most_connections_;
}

// Forgets what is gone, and returns what is left.
int64_t Acceptor::Sweep() {
  for (size_t descriptor = 0; descriptor < inodes_.size(); ++descriptor) {
    ino_t& inode = inodes_[descriptor];
    if (inode == 0 || InodeOf(static_cast<int>(descriptor)) == inode) continue;
    inode = 0;
    --taken_;
  }
  return taken_;
}

void Acceptor::Say(Clock::time_point& next, const std::string& line) {
  const Clock::time_point now = Clock::now();
  if (!log_ || now < next) return;
  next = now + kBetweenLines;
  log_(line);
}

}  // namespace pcap_gateway
