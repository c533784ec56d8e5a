// pcap-gateway: options, gateway, serve until a signal, drain.

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/thread.h"
#include "service/gateway.h"
#include "service/log_redaction.h"
#include "service/operations/log.h"
#include "service/operations/service_manager.h"
#include "service/operations/watchdog.h"
#include "service/options.h"
#include "service/rpc/usable_cores.h"

namespace {

// What is done after the drain takes less.
constexpr absl::Duration kEnd = absl::Seconds(10);

// No core dump: it would hold the credentials. Linux writes no file below a page's size, and with a
// limit of exactly 1 it does not run the program either that core_pattern may pipe dumps to, which
// for 0 it does (fs/coredump.c). Not PR_SET_DUMPABLE: debuggers and LeakSanitizer need to attach.
// False: it cannot be turned off.
bool LeaveNoCore() {
  const rlimit none{1, 1};
  return setrlimit(RLIMIT_CORE, &none) == 0;
}

// Who starts a program without stdout or stderr gives their numbers to the next files that it
// opens: a caller's connection, or an eventfd of gRPC's, would get the log.
void FillStandardFiles() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // Takes the lowest number that is free.
    if (fcntl(file, F_GETFD) < 0) open("/dev/null", O_RDWR);
  }
}

// Before main, and before the libraries' constructors: gRPC's opens such a file.
__attribute__((section(".preinit_array"),
               used)) void (*const kBeforeLibraries)() = FillStandardFiles;

// --log-format=auto is text for a person at a terminal, coloured unless that person or the terminal
// wants none (https://no-color.org).
pcap_gateway::LogFormat LogFormatOf(const pcap_gateway::Options& options) {
  using pcap_gateway::LogFormat;
  const bool terminal = options.log_file.empty() && isatty(STDERR_FILENO) == 1;
  const LogFormat format =
      options.log_format.value_or(terminal ? LogFormat::kText : LogFormat::kJson);
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return absl::string_view(value == nullptr ? "" : value);
  };
  const bool colour = terminal && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  return format == LogFormat::kText && colour ? LogFormat::kColouredText : format;
}

// Fails where --log-file cannot be written.
absl::StatusOr<std::unique_ptr<pcap_gateway::Log>> OpenLog(const pcap_gateway::Options& options) {
  std::unique_ptr<pcap_gateway::LogOutput> output = pcap_gateway::FileOutput::Stderr();
  if (!options.log_file.empty()) {
    auto file = pcap_gateway::FileOutput::Open(options.log_file);
    if (!file.ok()) {
      return absl::Status(file.status().code(),
                          absl::StrCat("--log-file: ", file.status().message()));
    }
    output = *std::move(file);
  }
  try {
    auto log = std::make_unique<pcap_gateway::Log>(
        pcap_gateway::LogSettings{
            .format = LogFormatOf(options),
            .level = options.log_level,
            .redact = pcap_gateway::LogRedaction(options.service_credential),
        },
        std::move(output));
    log->TakeOverSpdlog();
    return log;
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no thread can be started for the log: ", error.what()));
  }
}

// What a reader of the log wants to know of the process that wrote it.
void LogStart(const pcap_gateway::Options& options, const pcap_gateway::Gateway& gateway,
              pcap_gateway::Log& log) {
  for (const pcap_gateway::Setting& setting : options.settings) {
    if (setting.source.empty()) continue;
    log.Write(pcap_gateway::LogLevel::kDebug, "option",
              {{"name", setting.name}, {"value", setting.value}, {"source", setting.source}});
  }
  log.Write(pcap_gateway::LogLevel::kInfo, "serving",
            {{"version", pcap_gateway::Version()},
             {"pid", int64_t{getpid()}},
             {"listen", gateway.address()},
             {"admin_listen", gateway.admin_address()},
             {"upstream_url", options.upstream_url},
             {"options", pcap_gateway::SummaryOf(options.settings)},
             {"credential", options.service_credential == nullptr ? "caller" : "service"}});
}

// Says what stands in the way of a start; returns the exit code.
int Unusable(const absl::Status& status, const pcap_gateway::Options& options) {
  const absl::Status explained = pcap_gateway::Explained(status, options.settings);
  std::fprintf(stderr, "pcap-gateway: %s\n", std::string(explained.message()).c_str());
  return pcap_gateway::ExitCodeOf(explained);
}

// The names of all variables of the environment.
std::vector<std::string> Variables() {
  std::vector<std::string> names;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const absl::string_view text = *variable;
    names.emplace_back(text.substr(0, text.find('=')));
  }
  return names;
}

// --check: looks at all there is to look at, and says so.
int CheckAll(const pcap_gateway::Options& options, pcap_gateway::Log& log) {
  const absl::Status status = pcap_gateway::Gateway::Check(options, log);
  if (!status.ok()) return Unusable(status, options);
  std::printf("pcap-gateway %s: all options and files can be used%s\n", pcap_gateway::Version(),
              options.check == pcap_gateway::Options::Check::kOnline
                  ? ", and Cloudflare accepts the credential"
                  : "");
  return 0;
}

// At the start and at the end: ours, those of libraries, and some to spare, as libraries start more
// when there is much to do. Theirs go by the machine's cores, whatever the CPU limit.
size_t ThreadsNeeded() {
  return 26 + pcap_gateway::UsableCores() + 2 * std::max(1u, std::thread::hardware_concurrency());
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

// Waits for `most`, with an eye on the watchdog. 0, or the one of `signals` that came first.
int WaitForSignal(const sigset_t& signals, absl::Duration most, pcap_gateway::Watchdog& watchdog) {
  using Clock = std::chrono::steady_clock;
  // Some centuries are for ever, and a time that there is.
  const auto end =
      Clock::now() + absl::ToChronoMicroseconds(std::min(most, absl::Hours(1'000'000)));
  while (true) {
    const Clock::time_point now = Clock::now();
    watchdog.Look(now);
    const absl::Duration left = std::min(absl::FromChrono(end - now), watchdog.Left(now));
    const timespec limit = absl::ToTimespec(std::max(left, absl::ZeroDuration()));
    const int signal = sigtimedwait(&signals, nullptr, &limit);
    if (signal > 0) return signal;
    if (Clock::now() >= end) return 0;
  }
}

// Serves until one of the signals that end the program comes; returns that one.
int AwaitEnd(const sigset_t& signals, pcap_gateway::Gateway& gateway, pcap_gateway::Log& log,
             const pcap_gateway::ServiceManager& manager, pcap_gateway::Watchdog& watchdog) {
  const std::string status = "serving on " + gateway.address();
  manager.Ready(status);
  while (true) {
    const int signal = WaitForSignal(signals, absl::InfiniteDuration(), watchdog);
    if (signal != SIGHUP) return signal;
    manager.Reloading();
    log.Reopen().IgnoreError();  // it says so itself
    log.Write(pcap_gateway::LogLevel::kInfo, "SIGHUP: looking at files for changes");
    gateway.Reload();
    manager.Ready(status);
  }
}

// Waits for `most`. False: a signal that ends the program came first.
bool WaitUnlessEnded(const sigset_t& signals, absl::Duration most,
                     pcap_gateway::Watchdog& watchdog) {
  const pcap_gateway::SteadyWallClock clock;  // whatever becomes of the machine's meanwhile
  const absl::Time until = clock.Now() + most;
  while (true) {
    const int signal = WaitForSignal(signals, until - clock.Now(), watchdog);
    // Who ends does not reload.
    if (signal != SIGHUP) return signal == 0;
  }
}

// One line that says where the service is, for people and for scripts that asked for port 0.
void PrintReady(const pcap_gateway::Gateway& gateway) {
  std::printf("pcap-gateway %s listening on %s\n", pcap_gateway::Version(),
              gateway.address().c_str());
  if (!gateway.admin_address().empty()) {
    std::printf("pcap-gateway admin on %s\n", gateway.admin_address().c_str());
  }
  if (!gateway.channelz_address().empty()) {
    std::printf("pcap-gateway channelz on %s\n", gateway.channelz_address().c_str());
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  // Abseil's mutexes, which gRPC is full of, look for lock cycles in Debian's build: a debugging
  // aid that costs a tenth of a cached call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const bool leaves_no_core = LeaveNoCore();

  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto read = pcap_gateway::ReadOptions(
      arguments, [](const char* name) -> const char* { return std::getenv(name); }, Variables());
  if (const auto* exit = std::get_if<pcap_gateway::EarlyExit>(&read)) {
    std::fprintf(exit->code == 0 ? stdout : stderr, "%s\n", exit->text.c_str());
    return exit->code;
  }
  const auto& options = std::get<pcap_gateway::Options>(read);

  const sigset_t signals = BlockSignals();
  // gRPC aborts where there is no thread for it.
  const absl::Status threads = pcap_gateway::CheckThreads(ThreadsNeeded());
  if (!threads.ok()) return Unusable(threads, options);
  // After the signals are blocked, which its thread is not to get either.
  const absl::StatusOr<std::unique_ptr<pcap_gateway::Log>> opened = OpenLog(options);
  if (!opened.ok()) return Unusable(opened.status(), options);
  pcap_gateway::Log& log = **opened;
  if (!leaves_no_core) log.Write(pcap_gateway::LogLevel::kWarn, "cannot turn core dumps off");
  for (const std::string& warning : options.warnings) {
    log.Write(pcap_gateway::LogLevel::kWarn, warning);
  }
  if (options.check != pcap_gateway::Options::Check::kNone) return CheckAll(options, log);

  absl::StatusOr<std::unique_ptr<pcap_gateway::Gateway>> gateway =
      pcap_gateway::Gateway::Start(options, log);
  if (!gateway.ok()) return Unusable(gateway.status(), options);
  PrintReady(**gateway);
  LogStart(options, **gateway, log);

  const pcap_gateway::ServiceManager manager;
  pcap_gateway::Watchdog watchdog(
      pcap_gateway::ServiceManager::watchdog_limit(), [&] { return (*gateway)->Beat(); },
      [&] { manager.Alive(); });

  const int signal = AwaitEnd(signals, **gateway, log, manager, watchdog);
  log.Write(pcap_gateway::LogLevel::kInfo, "draining; another signal ends at once",
            {{"signal", int64_t{signal}}});
  manager.Stopping("draining", options.lame_duck + options.drain_timeout + kEnd);
  (*gateway)->Drain(options.lame_duck, options.drain_timeout,
                    [&](absl::Duration most) { return WaitUnlessEnded(signals, most, watchdog); });
  log.Write(pcap_gateway::LogLevel::kInfo, "drained");
  return 0;
}
