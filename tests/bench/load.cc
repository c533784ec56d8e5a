// Calls a method in a closed loop, checks each answer, and prints one line of JSON.
//
//   load --address 127.0.0.1:50051 --connections 4 --streams 32 --seconds 3 --ids 1000
//
// One thread, HTTP/2 by hand (grpc_connection.h): light enough that it fills a server's core from
// one of its own.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "tests/bench/connections.h"
#include "tests/bench/grpc_connection.h"
#include "tests/bench/program.h"
#include "tests/bench/requests.h"

namespace pcap_gateway::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Far beyond any latency worth a figure: whatever is quiet for this long hangs.
constexpr int kHangsAfterMilliseconds = 10'000;

struct Plan {
  std::string address;
  int connections = 1;
  int streams = 1;  // calls in flight on each connection
  int64_t calls = 0;
  double seconds = 0;
  Mix mix;
  bool expect_id = false;
  Metadata metadata;
};

// What has been seen of the calls so far.
struct Tally {
  std::vector<std::chrono::nanoseconds> latencies;  // of all calls that ended
  int64_t failures = 0;
  int64_t hits = 0;
  size_t message_bytes = 0;  // of all answers
  std::string first_fault;

  void Add(const CallResult& result) {
    latencies.push_back(result.latency);
    hits += result.hit;
    message_bytes += result.message_bytes;
    if (result.fault.empty()) return;
    if (failures++ == 0) first_fault = result.fault;
  }
};

// Keeps `streams` calls in flight on every connection until the plan is done.
class ClosedLoop {
 public:
  explicit ClosedLoop(const Plan& plan) : plan_(plan), requests_(plan.mix) {
    // Room for a long run, so that no measurement is interrupted by moving a vector.
    tally_.latencies.reserve(4 << 20);
    for (int n = 0; n < plan_.connections; ++n) AddConnection();
  }
  ClosedLoop(const ClosedLoop&) = delete;
  ClosedLoop& operator=(const ClosedLoop&) = delete;

  // Returns when the last answer is in.
  void Run() {
    begin_ = Clock::now();
    for (size_t n = 0; n < connections_.size(); ++n) {
      for (int stream = 0; stream < plan_.streams; ++stream) CallNext(connections_[n]);
      connections_.Flush(n);
    }
    while (in_flight_ > 0) {
      if (connections_.Turn(kHangsAfterMilliseconds)) continue;
      throw std::runtime_error("the server has not answered for 10 s");
    }
    end_ = Clock::now();
  }

  const Tally& tally() const { return tally_; }
  double seconds() const { return std::chrono::duration<double>(end_ - begin_).count(); }

 private:
  void AddConnection() {
    const size_t index = connections_.size();
    connections_.Add(std::make_unique<GrpcConnection>(plan_.address, PathOf(plan_.mix.method),
                                                      plan_.metadata,
                                                      [this, index](const CallResult& result) {
                                                        --in_flight_;
                                                        tally_.Add(result);
                                                        CallNext(connections_[index]);
                                                      }));
  }

  bool MayBegin() const {
    if (begun_ == 0) return true;  // quantiles of nothing do not exist
    if (plan_.calls > 0) return begun_ < plan_.calls;
    return std::chrono::duration<double>(Clock::now() - begin_).count() < plan_.seconds;
  }

  void CallNext(GrpcConnection& connection) {
    if (!MayBegin()) return;
    const Request request = requests_.Next();
    connection.Call(request.framed, plan_.expect_id ? request.pcap_id : "");
    ++begun_;
    ++in_flight_;
  }

  const Plan plan_;
  Requests requests_;
  Connections connections_;
  Clock::time_point begin_;
  Clock::time_point end_;
  int64_t begun_ = 0;
  int64_t in_flight_ = 0;
  Tally tally_;
};

double Microseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

void Print(const ClosedLoop& loop) {
  const Tally& tally = loop.tally();
  std::vector<std::chrono::nanoseconds> sorted = tally.latencies;
  std::sort(sorted.begin(), sorted.end());
  const auto quantile = [&](double share) {  // nearest rank; a run has one call at least
    const double rank = std::ceil(share * static_cast<double>(sorted.size()));
    return Microseconds(sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1]);
  };
  const auto calls = static_cast<double>(sorted.size());
  printf(R"({"calls": %zu, "failures": %lld, "hits": %lld, )", sorted.size(),
         static_cast<long long>(tally.failures), static_cast<long long>(tally.hits));
  printf(R"("seconds": %.6f, "calls_per_second": %.1f, "message_bytes": %.1f, )", loop.seconds(),
         calls / loop.seconds(), static_cast<double>(tally.message_bytes) / calls);
  printf(R"("latency_us": {"min": %.1f, "p50": %.1f, "p90": %.1f, "p99": %.1f, "max": %.1f}})",
         quantile(0), quantile(0.5), quantile(0.9), quantile(0.99), quantile(1));
  printf("\n");
}

// `key: value`, as in a header.
std::pair<std::string, std::string> MetadataOf(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) throw CLI::ValidationError("--metadata", "no colon in " + text);
  return {absl::AsciiStrToLower(text.substr(0, colon)),
          std::string(absl::StripAsciiWhitespace(text.substr(colon + 1)))};
}

Plan ReadPlan(CLI::App& app, int argc, char** argv) {
  Plan plan;
  std::vector<std::string> metadata;
  app.add_option("--address", plan.address, "The server, IPV4:PORT")->required();
  app.add_option("--connections", plan.connections)->check(CLI::Range(1, 1000));
  app.add_option("--streams", plan.streams, "Calls in flight on each")->check(CLI::Range(1, 1000));
  auto* calls =
      app.add_option("--calls", plan.calls, "How many in all")->check(CLI::PositiveNumber);
  auto* seconds =
      app.add_option("--seconds", plan.seconds, "Or for how long")->check(CLI::PositiveNumber);
  calls->excludes(seconds);
  app.add_option("--method", plan.mix.method, "GetPcap, or one that takes an account alone");
  app.add_option("--account", plan.mix.account_id, "The account id of all requests");
  app.add_option("--ids", plan.mix.ids, "How many capture ids to make up, or a file of them");
  app.add_option("--first-id", plan.mix.first, "The number of the first one made up");
  app.add_option("--zipf", plan.mix.zipf, "Draw ids by Zipf's law with this exponent");
  app.add_option("--seed", plan.mix.seed, "Of those draws");
  app.add_flag("--expect-id", plan.expect_id, "An answer without the id asked for is a failure");
  app.add_option("--metadata", metadata, "`key: value`, sent with each call; may be repeated");
  app.parse(argc, argv);
  if (plan.calls == 0 && plan.seconds == 0) throw CLI::RequiredError("--calls or --seconds");
  for (const std::string& entry : metadata) plan.metadata.push_back(MetadataOf(entry));
  return plan;
}

}  // namespace
}  // namespace pcap_gateway::bench

int main(int argc, char** argv) {
  using namespace pcap_gateway::bench;  // NOLINT(google-build-using-namespace)
  CLI::App app("Calls a method in a closed loop and prints figures as one line of JSON");
  return RunProgram("load", app, [&]() -> std::string {
    ClosedLoop loop(ReadPlan(app, argc, argv));
    loop.Run();
    Print(loop);
    const Tally& tally = loop.tally();
    return tally.failures == 0 ? "" : "first failure: " + tally.first_fault;
  });
}
