#include "client/pcapctl/on_signal.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is not in <csignal>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>

namespace pcap_client {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

// Arrays, as a handler may not touch a std::string. Changed while the signals are blocked.
std::array<char, PATH_MAX> to_remove{};
std::array<char, 1001> to_say{};
size_t to_say_size = 0;

// Only with what POSIX lets a handler call.
void End(int number) {
  if (to_remove[0] != '\0') unlink(to_remove.data());
  if (to_say_size > 0) (void)!write(STDERR_FILENO, to_say.data(), to_say_size);
  // SA_RESETHAND: it is the default that handles this one, once this handler has returned.
  raise(number);
}

class Blocked {
 public:
  Blocked() {
    sigset_t ours;
    sigemptyset(&ours);
    for (const int number : kSignals) sigaddset(&ours, number);
    pthread_sigmask(SIG_BLOCK, &ours, &before_);
  }
  ~Blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;

 private:
  sigset_t before_;
};

void Install() {
  for (const int number : kSignals) {
    struct sigaction now = {};
    // What nohup ignores stays ignored.
    if (sigaction(number, nullptr, &now) != 0 || now.sa_handler == SIG_IGN) continue;
    now.sa_handler = End;
    now.sa_flags = SA_RESETHAND;
    sigaction(number, &now, nullptr);
  }
}

}  // namespace

void OnSignal::Remove(const std::string& path) {
  Install();
  const Blocked blocked;
  const size_t size = path.size() < to_remove.size() ? path.size() : 0;
  *std::copy_n(path.data(), size, to_remove.begin()) = '\0';
}

void OnSignal::Say(const std::string& text) {
  Install();
  const Blocked blocked;
  to_say_size = std::min(text.size(), to_say.size());
  std::copy_n(text.data(), to_say_size, to_say.begin());
}

}  // namespace pcap_client
