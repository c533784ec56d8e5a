#include "service/loop/event_loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "service/base/burst.h"
#include "service/base/mutex.h"

namespace pcap_gateway {
namespace {

// How soon epoll is asked again to watch a socket that it had no memory for.
constexpr std::chrono::milliseconds kEpollRetry{10};

// The loop that this thread is.
thread_local const EventLoop* current = nullptr;

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Start() {
  std::unique_ptr<EventLoop> loop(new EventLoop());
  if (absl::Status status = loop->Begin(); !status.ok()) return status;
  return loop;
}

absl::Status EventLoop::Begin() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wakeup_ = epoll_ < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{.events = EPOLLIN, .data = {.fd = wakeup_}};
  if (wakeup_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot set up the upstream loop: ", std::strerror(errno)));
  }
  sockets_ = std::make_unique<SocketSet>(epoll_);
  try {
    thread_ = std::thread([this] {
      // hiredis and OpenSSL write without MSG_NOSIGNAL: a peer that is gone must not end the
      // process.
      sigset_t broken_pipe;
      sigemptyset(&broken_pipe);
      sigaddset(&broken_pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
      current = this;
      while (!stopping_) Turn();
      End();
    });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start the upstream loop: ", error.what()));
  }
  return absl::OkStatus();
}

EventLoop::~EventLoop() {
  Stop();
  if (epoll_ >= 0) close(epoll_);
  if (wakeup_ >= 0) close(wakeup_);
}

void EventLoop::Stop() {
  if (!thread_.joinable()) return;
  {
    const Lock lock(mutex_);
    stop_asked_ = true;
  }
  eventfd_write(wakeup_, 1);
  thread_.join();
}

bool EventLoop::IsCurrent() const { return current == this; }

void EventLoop::Post(Task task) {
  const bool from_elsewhere = !IsCurrent();
  // Held to the end: once the task has run, the loop may be stopped and gone.
  Lock lock(mutex_);
  if (stopped_) {
    lock.Unlock();
    return std::move(task)();
  }
  const bool first = inbox_.empty();
  inbox_.push_back(std::move(task));
  if (!from_elsewhere) {
    has_posted_ = true;
    return;
  }
  stats_.handed_in.Add();
  // Whoever fills an empty inbox wakes the loop; the others find it awake.
  if (!first) return;
  stats_.wakes.Add();
  eventfd_write(wakeup_, 1);
}

void EventLoop::Run(Task task) {
  const auto over = std::make_shared<std::promise<void>>();
  Post([this, task = std::move(task), over]() mutable {
    std::move(task)();
    // Its turn comes after this one.
    Post([over] { over->set_value(); });
  });
  over->get_future().wait();
}

void EventLoop::Turn() {
  if (sockets_->any_refused()) sockets_->RetryRefused();
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_, events.data(), events.size(), MillisecondsToWait());
  const Burst burst;
  sockets_->BeginTurn();
  bool woken = std::exchange(has_posted_, false);
  for (int i = 0; i < count; ++i) {
    const int fd = events[i].data.fd;
    if (fd != wakeup_) {
      sockets_->Handle(fd, events[i].events);
      continue;
    }
    eventfd_t ignored;
    eventfd_read(wakeup_, &ignored);
    woken = true;
  }
  if (woken) RunInbox();
  if (timers_.empty() && due_.empty()) return;
  // The time is asked for once: what puts itself off by nothing does not hold up the loop.
  const Time now = std::chrono::steady_clock::now();
  RingTimers(now);
  RunDue(now);
}

// For epoll_wait; -1: there is nothing that it would be too late for.
int EventLoop::MillisecondsToWait() const {
  if (has_posted_) return 0;
  Time first = due_.empty() ? Time::max() : due_.begin()->first;
  for (const LoopTimer* timer : timers_) first = std::min(first, timer->at_.value_or(Time::max()));
  if (first == Time::max() && !sockets_->any_refused()) return -1;
  const Time now = std::chrono::steady_clock::now();
  if (sockets_->any_refused()) first = std::min(first, now + kEpollRetry);
  if (first <= now) return 0;
  // Rounded up: waking a little early would spin until the time has come.
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(1);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - now);
  return static_cast<int>(std::min(left, kLongest).count());
}

// False: there was nothing in it.
bool EventLoop::RunInbox() {
  {
    const Lock lock(mutex_);
    running_.swap(inbox_);
    stopping_ = stop_asked_;
  }
  const bool any = !running_.empty();
  for (Task& task : running_) std::move(task)();
  running_.clear();
  return any;
}

// By number, as a ring may make timers.
void EventLoop::RingTimers(Time now) {
  for (size_t i = 0; i < timers_.size(); ++i) {
    LoopTimer& timer = *timers_[i];
    if (!timer.at_.has_value() || *timer.at_ > now) continue;
    timer.at_.reset();
    timer.ring_();
  }
}

void EventLoop::RunDue(Time now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    Task task = std::move(due_.begin()->second.second);
    due_.erase(due_.begin());
    std::move(task)();
  }
}

Ticket EventLoop::After(absl::Duration delay, Task task) {
  const Time at = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(delay);
  const uint64_t number = next_number_++;
  due_.emplace(at, std::pair(number, std::move(task)));
  return Ticket([this, at, number] {
    for (auto [it, end] = due_.equal_range(at); it != end; ++it) {
      if (it->second.first == number) {
        due_.erase(it);
        return;
      }
    }
  });
}

void EventLoop::End() {
  for (bool over = false; !over;) {
    {
      const Burst burst;
      // Who waits for a later time finds now that it is too late.
      for (auto& [at, numbered] : std::exchange(due_, {})) std::move(numbered.second)();
      RunInbox();
    }
    const Lock lock(mutex_);
    over = stopped_ = inbox_.empty() && due_.empty();
  }
}

LoopTimer::LoopTimer(EventLoop& loop, std::function<void()> ring)
    : loop_(loop), ring_(std::move(ring)) {
  loop_.timers_.push_back(this);
}

LoopTimer::~LoopTimer() { std::erase(loop_.timers_, this); }

}  // namespace pcap_gateway
