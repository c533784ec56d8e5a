#include "tests/bench/connections.h"

#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace pcap_gateway::bench {
namespace {

// About a millisecond. Whoever answers a client that sleeps on another core pays for waking it: in
// a virtual machine several microseconds, and all the more often, the slower its answers come. A
// client on another machine costs a server none of that.
constexpr int kLooksBeforeSleep = 1000;

}  // namespace

Connections::Connections() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::runtime_error("epoll_create1 failed");
}

Connections::~Connections() { close(epoll_); }

void Connections::Add(std::unique_ptr<GrpcConnection> connection) {
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = connections_.size()}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd(), &event);
  connections_.push_back(std::move(connection));
  waits_for_room_.push_back(false);
}

void Connections::Flush(size_t index) {
  const bool waits = !connections_[index]->Flush();
  if (waits == waits_for_room_[index]) return;
  waits_for_room_[index] = waits;
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = index}};
  if (waits) event.events |= EPOLLOUT;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connections_[index]->fd(), &event);
}

bool Connections::Turn(int milliseconds) {
  epoll_event events[64];
  int count = 0;
  for (int looks = 0; looks < kLooksBeforeSleep && count == 0; ++looks) {
    count = epoll_wait(epoll_, events, std::size(events), 0);
    if (count == 0) sched_yield();  // the upstream may be on this core, too
  }
  if (count == 0) count = epoll_wait(epoll_, events, std::size(events), milliseconds);
  for (int n = 0; n < count; ++n) {
    const size_t index = events[n].data.u64;
    if (events[n].events & ~static_cast<uint32_t>(EPOLLOUT)) connections_[index]->Receive();
    Flush(index);
  }
  return count > 0;
}

}  // namespace pcap_gateway::bench
