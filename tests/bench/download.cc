// Calls DownloadPcap once, as fast as it comes or slowly, and prints one line of JSON.
//
//   download --address 127.0.0.1:50051 --pcap-id 66802ca5668e47a2b82c2e6746e45037
//   download … --bytes-per-second 1000000 --seconds 10     and then leaves
#include <poll.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

#include "pcap/v1/pcap_service.pb.h"
#include "tests/bench/grpc_connection.h"
#include "tests/bench/messages.h"
#include "tests/bench/program.h"
#include "tests/bench/requests.h"

namespace pcap_gateway::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kHangsAfterMilliseconds = 10'000;
// HTTP/2's own default, which a reader has who does not ask for more.
constexpr int32_t kSlowWindowBytes = 65'535;
// As often does a slow reader read.
constexpr int kNapMilliseconds = 5;

struct Plan {
  std::string address;
  std::string account_id = Mix().account_id;
  std::string pcap_id = "66802ca5668e47a2b82c2e6746e45037";
  double bytes_per_second = 0;  // 0: as fast as they come
  double seconds = 0;           // 0: to the end
};

class Download {
 public:
  explicit Download(const Plan& plan)
      : plan_(plan),
        connection_(
            plan.address, PathOf("DownloadPcap"), Metadata(),
            [this](const CallResult& result) {
              over_ = true;
              fault_ = result.fault;
            },
            Streaming{.on_bytes =
                          [this](size_t, std::string_view bytes) {
                            bytes_ += bytes.size();
                            messages_ += counter_.Add(bytes);
                          },
                      .window_bytes = plan.bytes_per_second > 0 ? kSlowWindowBytes
                                                                : Streaming().window_bytes}) {}

  // Returns at its end, or when the plan's time is over.
  void Run() {
    pcap::v1::DownloadPcapRequest request;
    request.set_account_id(plan_.account_id);
    request.set_pcap_id(plan_.pcap_id);
    const std::string framed = Framed(request.SerializeAsString());
    begin_ = Clock::now();
    connection_.Call(framed, "");
    while (!over_ && (plan_.seconds == 0 || Seconds() < plan_.seconds)) {
      connection_.Flush();
      Wait();
      connection_.Receive(Allowance());
    }
    seconds_ = Seconds();
  }

  void Print() const {
    printf(R"({"bytes": %zu, "messages": %lld, "seconds": %.6f, "over": %s, "failures": %d})",
           bytes_, static_cast<long long>(messages_), seconds_, over_ ? "true" : "false",
           !fault_.empty());
    printf("\n");
  }
  const std::string& fault() const { return fault_; }

 private:
  double Seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  void Wait() {
    while (Allowance() == 0) poll(nullptr, 0, kNapMilliseconds);
    pollfd socket = {.fd = connection_.fd(), .events = POLLIN, .revents = 0};
    if (poll(&socket, 1, kHangsAfterMilliseconds) == 0) {
      throw std::runtime_error("nothing has come for 10 s");
    }
  }

  // What may be read now.
  size_t Allowance() const {
    if (plan_.bytes_per_second == 0) return SIZE_MAX;
    const auto due = static_cast<size_t>(Seconds() * plan_.bytes_per_second);
    return due > bytes_ ? due - bytes_ : 0;
  }

  const Plan plan_;
  GrpcConnection connection_;
  MessageCounter counter_;
  Clock::time_point begin_;
  double seconds_ = 0;
  size_t bytes_ = 0;  // with gRPC's five a message
  int64_t messages_ = 0;
  bool over_ = false;
  std::string fault_;
};

Plan ReadPlan(CLI::App& app, int argc, char** argv) {
  Plan plan;
  app.add_option("--address", plan.address, "The server, IPV4:PORT")->required();
  app.add_option("--account", plan.account_id);
  app.add_option("--pcap-id", plan.pcap_id);
  app.add_option("--bytes-per-second", plan.bytes_per_second, "How fast to read")
      ->check(CLI::PositiveNumber);
  app.add_option("--seconds", plan.seconds, "For how long at most")->check(CLI::PositiveNumber);
  app.parse(argc, argv);
  return plan;
}

}  // namespace
}  // namespace pcap_gateway::bench

int main(int argc, char** argv) {
  using namespace pcap_gateway::bench;  // NOLINT(google-build-using-namespace)
  CLI::App app("Calls DownloadPcap and prints figures as one line of JSON");
  return RunProgram("download", app, [&] {
    Download download(ReadPlan(app, argc, argv));
    download.Run();
    download.Print();
    return download.fault();
  });
}
