// pcap-gateway: options, gateway, serve until a signal, drain.

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "service/gateway.h"
#include "service/options.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace {

constexpr int kUnusableOption = 2;

// No core dump: it would hold the credentials. Linux writes no file below a page's size, and with a
// limit of exactly 1 it does not run the program either that core_pattern may pipe dumps to, which
// for 0 it does (fs/coredump.c). Not PR_SET_DUMPABLE: debuggers and LeakSanitizer need to attach.
void LeaveNoCore() {
  const rlimit none{1, 1};
  if (setrlimit(RLIMIT_CORE, &none) != 0) spdlog::warn("cannot turn core dumps off");
}

// The signals that mean something to the program, kept from all threads so that main can wait for
// them.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Serves until one of the signals that end the program comes; returns that one.
int AwaitEnd(const sigset_t& signals, pcap_gateway::Gateway& gateway) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0 || signal == SIGHUP) {
    spdlog::info("SIGHUP: looking at files for changes");
    gateway.Reload();
  }
  return signal;
}

// Waits for `most`. False: a signal that ends the program came first.
bool WaitUnlessSignalled(const sigset_t& signals, absl::Duration most) {
  const absl::Time until = absl::Now() + most;
  while (true) {
    const timespec limit = absl::ToTimespec(std::max(until - absl::Now(), absl::ZeroDuration()));
    const int signal = sigtimedwait(&signals, nullptr, &limit);
    // Who ends does not reload.
    if (signal != SIGHUP && !(signal < 0 && errno == EINTR)) return signal < 0;
  }
}

// One line that says where the service is, for people and for scripts that asked for port 0.
void PrintReady(const pcap_gateway::Gateway& gateway) {
  std::printf("pcap-gateway %s listening on %s\n", pcap_gateway::Version(),
              gateway.address().c_str());
  if (!gateway.admin_address().empty()) {
    std::printf("pcap-gateway admin on %s\n", gateway.admin_address().c_str());
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  // Abseil's mutexes, which gRPC is full of, look for lock cycles in Debian's build: a debugging
  // aid that costs a tenth of a cached call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Logs go to stderr, so that stdout has the ready lines alone.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("pcap-gateway"));
  LeaveNoCore();

  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto read = pcap_gateway::ReadOptions(
      arguments, [](const char* name) -> const char* { return std::getenv(name); });
  if (const auto* exit = std::get_if<pcap_gateway::EarlyExit>(&read)) {
    std::fprintf(exit->code == 0 ? stdout : stderr, "%s\n", exit->text.c_str());
    return exit->code;
  }
  const auto& options = std::get<pcap_gateway::Options>(read);

  const sigset_t signals = BlockSignals();
  absl::StatusOr<std::unique_ptr<pcap_gateway::Gateway>> gateway =
      pcap_gateway::Gateway::Start(options);
  if (!gateway.ok()) {
    std::fprintf(stderr, "pcap-gateway: %s\n", std::string(gateway.status().message()).c_str());
    return kUnusableOption;
  }
  PrintReady(**gateway);

  const int signal = AwaitEnd(signals, **gateway);
  spdlog::info("signal {}: draining; another one ends at once", signal);
  (*gateway)->Drain(options.lame_duck, options.drain_timeout,
                    [&](absl::Duration most) { return WaitUnlessSignalled(signals, most); });
  spdlog::info("drained");
  return 0;
}
