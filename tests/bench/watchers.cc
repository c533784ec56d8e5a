// Opens any number of WatchPcaps calls, and says when all of them have been told something.
//
//   watchers --address 127.0.0.1:50051 --connections 100 --streams 100 --first 50
//
// Prints `all watch since T` when each has its first 50 messages, and from then on `all told at T`
// whenever each has one more; T in seconds of CLOCK_MONOTONIC. Runs until it is ended, and fails if
// a call ends before.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/connections.h"
#include "tests/bench/grpc_connection.h"
#include "tests/bench/messages.h"
#include "tests/bench/program.h"
#include "tests/bench/requests.h"

namespace pcap_gateway::bench {
namespace {

struct Plan {
  std::string address;
  size_t connections = 1;
  size_t streams = 1;  // on each
  int64_t first = 1;   // messages that a call gets before anything has changed
  Mix mix{.method = "WatchPcaps"};
};

class Watchers {
 public:
  explicit Watchers(const Plan& plan)
      : plan_(plan),
        requests_(plan.mix),
        due_(plan.first),
        calls_(plan.connections * plan.streams) {}

  [[noreturn]] void Run() {
    // One after the other: a server that is asked by all in one moment is late for some.
    for (size_t n = 0; n < plan_.connections; ++n) {
      Open(n);
      WaitForAll();
    }
    Say("all watch since");
    for (;;) {
      ++due_;
      for (const Call& call : calls_) behind_ += call.messages < due_;
      WaitForAll();
      Say("all told at");
    }
  }

 private:
  struct Call {
    MessageCounter counter;
    int64_t messages = 0;
  };

  void Open(size_t n) {
    connections_.Add(std::make_unique<GrpcConnection>(
        plan_.address, PathOf(plan_.mix.method), Metadata(),
        [](const CallResult& result) {
          throw std::runtime_error(result.fault.empty() ? "a call has ended"
                                                        : std::string(result.fault));
        },
        Streaming{.on_bytes = [this, n](size_t call, std::string_view bytes) {
          Came(calls_[n * plan_.streams + call], bytes);
        }}));
    const Request request = requests_.Next();
    for (size_t stream = 0; stream < plan_.streams; ++stream) {
      connections_[n].Call(request.framed, "");
    }
    connections_.Flush(n);
    behind_ += plan_.streams;
  }

  void Came(Call& call, std::string_view bytes) {
    const bool was_behind = call.messages < due_;
    call.messages += call.counter.Add(bytes);
    behind_ -= was_behind && call.messages >= due_;
  }

  void WaitForAll() {
    while (behind_ > 0) connections_.Turn(-1);
  }

  static void Say(const char* what) {
    const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
    printf("%s %.6f\n", what, now.count());
    fflush(stdout);
  }

  const Plan plan_;
  Requests requests_;
  int64_t due_;  // messages that each is to have
  std::vector<Call> calls_;
  size_t behind_ = 0;  // calls that are open and do not have them yet
  Connections connections_;
};

Plan ReadPlan(CLI::App& app, int argc, char** argv) {
  Plan plan;
  app.add_option("--address", plan.address, "The server, IPV4:PORT")->required();
  app.add_option("--connections", plan.connections)->check(CLI::Range(1, 1000));
  app.add_option("--streams", plan.streams, "Calls on each")->check(CLI::Range(1, 1000));
  app.add_option("--first", plan.first, "Messages that each gets at first")
      ->check(CLI::PositiveNumber);
  app.add_option("--account", plan.mix.account_id, "The account that they watch");
  app.parse(argc, argv);
  return plan;
}

}  // namespace
}  // namespace pcap_gateway::bench

int main(int argc, char** argv) {
  using namespace pcap_gateway::bench;  // NOLINT(google-build-using-namespace)
  CLI::App app("Opens WatchPcaps calls and says when all of them have been told something");
  return RunProgram("watchers", app,
                    [&]() -> std::string { Watchers(ReadPlan(app, argc, argv)).Run(); });
}
