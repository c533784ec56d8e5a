// The headers' inline versions of some of these would be in the way.
#undef _FORTIFY_SOURCE

#include "tests/torture/fail_kth.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdarg>
#include <cstring>
#include <mutex>

namespace pcap_gateway {
namespace {

// The CountThisThread by which this thread is counted; 0: none, or no more.
thread_local int counted_by = 0;
std::atomic<int> latest = 0;

// Threads of an earlier one may still be about to end; they are not counted any more.
bool IsCounted() { return counted_by != 0 && counted_by == latest; }

// What is to fail. Written while no counted thread runs, and read by these while `armed`.
std::string_view function_to_fail;
int number_to_fail = 0;
Fault fault_to_meet;
std::atomic<bool> armed = false;
std::atomic<int> calls = 0;

std::mutex mutex;  // guards `threads`
std::condition_variable thread_ended;
int threads = 0;

// The fault that this call of `function` meets; null: none.
const Fault* Meets(std::string_view function) {
  if (!IsCounted() || !armed || function != function_to_fail) return nullptr;
  const int number = ++calls;
  const bool hit = number == number_to_fail || (number > number_to_fail && fault_to_meet.lasting);
  return hit ? &fault_to_meet : nullptr;
}

// Whether it is to fail; errno says why.
bool Fails(std::string_view function) {
  const Fault* const fault = Meets(function);
  if (fault == nullptr) return false;
  errno = fault->error;
  return true;
}

// The same for one that reads or writes `size` bytes, perhaps fewer than asked for.
bool FailsOrShortens(std::string_view function, size_t& size) {
  const Fault* const fault = Meets(function);
  if (fault == nullptr) return false;
  if (fault->error == 0) {
    size = std::min<size_t>(size, 1);
    return false;
  }
  errno = fault->error;
  return true;
}

// The function of this name that would be called, were it not for ours.
template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// Whether `fd` is a socket that does not lead out of the process.
bool IsLocal(int fd) {
  static auto* const next = Next<int(int, int, int, void*, socklen_t*)>("getsockopt");
  int domain = 0;
  socklen_t size = sizeof(domain);
  return next(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

struct ThreadStart {
  int counted_by;
  void* (*run)(void*);
  void* argument;
};

void ThreadEnded() {
  const std::lock_guard lock(mutex);
  --threads;
  thread_ended.notify_all();
}

void* RunCounted(void* start) {
  const ThreadStart copy = *static_cast<ThreadStart*>(start);
  delete static_cast<ThreadStart*>(start);
  counted_by = copy.counted_by;
  void* const result = copy.run(copy.argument);
  counted_by = 0;
  ThreadEnded();
  return result;
}

}  // namespace

void CountThisThread() { counted_by = ++latest; }
void CountThisThreadNoMore() { counted_by = 0; }

void FailKth(std::string_view function, int k, Fault fault) {
  function_to_fail = function;
  number_to_fail = k;
  fault_to_meet = fault;
  calls = 0;
  armed = true;
}

int FailNone() {
  armed = false;
  return calls;
}

bool AwaitCountedThreads() {
  std::unique_lock lock(mutex);
  return thread_ended.wait_for(lock, std::chrono::seconds(20), [] { return threads == 0; });
}

}  // namespace pcap_gateway

using pcap_gateway::Fails;
using pcap_gateway::FailsOrShortens;
using pcap_gateway::Meets;
using pcap_gateway::Next;

extern "C" {

int socket(int domain, int type, int protocol) noexcept {
  static auto* const next = Next<int(int, int, int)>("socket");
  return Fails("socket") ? -1 : next(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int pair[2]) noexcept {
  static auto* const next = Next<int(int, int, int, int*)>("socketpair");
  return Fails("socketpair") ? -1 : next(domain, type, protocol, pair);
}

int connect(int fd, const sockaddr* address, socklen_t size) {
  static auto* const next = Next<int(int, const sockaddr*, socklen_t)>("connect");
  return Fails("connect") ? -1 : next(fd, address, size);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  static auto* const next = Next<int(int, int, int, void*, socklen_t*)>("getsockopt");
  return Fails("getsockopt") ? -1 : next(fd, level, name, value, size);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  static auto* const next = Next<int(int, int, int, const void*, socklen_t)>("setsockopt");
  return Fails("setsockopt") ? -1 : next(fd, level, name, value, size);
}

int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept {
  static auto* const next = Next<int(int, sockaddr*, socklen_t*)>("getpeername");
  return Fails("getpeername") ? -1 : next(fd, address, size);
}

int getsockname(int fd, sockaddr* address, socklen_t* size) noexcept {
  static auto* const next = Next<int(int, sockaddr*, socklen_t*)>("getsockname");
  return Fails("getsockname") ? -1 : next(fd, address, size);
}

// Numbers and pointers are passed on in the same way, so that both arrive as a pointer.
int fcntl(int fd, int command, ...) {
  static auto* const next = Next<int(int, int, ...)>("fcntl");
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return Fails("fcntl") ? -1 : next(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...) noexcept {
  static auto* const next = Next<int(int, unsigned long, ...)>("ioctl");
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return Fails("ioctl") ? -1 : next(fd, request, argument);
}

ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  static auto* const next = Next<ssize_t(int, void*, size_t, int)>("recv");
  return FailsOrShortens("recv", size) ? -1 : next(fd, buffer, size, flags);
}

// libcurl's resolver thread says through a pair of local sockets that it is done.
ssize_t send(int fd, const void* buffer, size_t size, int flags) {
  static auto* const next = Next<ssize_t(int, const void*, size_t, int)>("send");
  const char* const name = pcap_gateway::IsLocal(fd) ? "send_local" : "send";
  return FailsOrShortens(name, size) ? -1 : next(fd, buffer, size, flags);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static auto* const next = Next<ssize_t(int, const msghdr*, int)>("sendmsg");
  return Fails("sendmsg") ? -1 : next(fd, message, flags);
}

ssize_t read(int fd, void* buffer, size_t size) {
  static auto* const next = Next<ssize_t(int, void*, size_t)>("read");
  return FailsOrShortens("read", size) ? -1 : next(fd, buffer, size);
}

ssize_t write(int fd, const void* buffer, size_t size) {
  static auto* const next = Next<ssize_t(int, const void*, size_t)>("write");
  return FailsOrShortens("write", size) ? -1 : next(fd, buffer, size);
}

int poll(pollfd* fds, nfds_t count, int milliseconds) {
  static auto* const next = Next<int(pollfd*, nfds_t, int)>("poll");
  return Fails("poll") ? -1 : next(fds, count, milliseconds);
}

int epoll_create1(int flags) noexcept {
  static auto* const next = Next<int(int)>("epoll_create1");
  return Fails("epoll_create1") ? -1 : next(flags);
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  static auto* const next = Next<int(int, int, int, epoll_event*)>("epoll_ctl");
  return Fails("epoll_ctl") ? -1 : next(epoll, operation, fd, event);
}

int epoll_wait(int epoll, epoll_event* events, int most, int milliseconds) {
  static auto* const next = Next<int(int, epoll_event*, int, int)>("epoll_wait");
  return Fails("epoll_wait") ? -1 : next(epoll, events, most, milliseconds);
}

int eventfd(unsigned int count, int flags) noexcept {
  static auto* const next = Next<int(unsigned int, int)>("eventfd");
  return Fails("eventfd") ? -1 : next(count, flags);
}

int eventfd_read(int fd, eventfd_t* value) {
  static auto* const next = Next<int(int, eventfd_t*)>("eventfd_read");
  return Fails("eventfd_read") ? -1 : next(fd, value);
}

int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  static auto* const next =
      Next<int(const char*, const char*, const addrinfo*, addrinfo**)>("getaddrinfo");
  if (const auto* fault = Meets("getaddrinfo")) return fault->error;
  const bool ours = node != nullptr && std::strcmp(node, pcap_gateway::kHostName) == 0;
  return next(ours ? "127.0.0.1" : node, service, hints, result);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) noexcept {
  static auto* const next =
      Next<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  if (pcap_gateway::counted_by == 0) return next(thread, attributes, run, argument);
  if (const auto* fault = Meets("pthread_create")) return fault->error;
  {
    const std::lock_guard lock(pcap_gateway::mutex);
    ++pcap_gateway::threads;
  }
  auto* const start = new pcap_gateway::ThreadStart{pcap_gateway::counted_by, run, argument};
  const int error = next(thread, attributes, &pcap_gateway::RunCounted, start);
  if (error != 0) {
    delete start;
    pcap_gateway::ThreadEnded();
  }
  return error;
}

}  // extern "C"
