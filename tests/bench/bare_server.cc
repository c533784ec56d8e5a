// The yardstick of tests/bench/run: a gRPC server that answers GetPcap with the same bytes each
// time and looks at nothing. What the gateway takes beyond this is the gateway's own doing.
//
//   bare_server [--mode=callback|queue] [--listen=HOST:PORT]     default port: any free one
//
// Prints `listening on HOST:PORT`. The modes are gRPC's two asynchronous server APIs; the gateway
// is on completion queues. It has the gateway's settings, those that make Debian's gRPC cheaper and
// those that cost: a ratio of one server to another with other settings would say nothing.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "pcap/v1/pcap_service.grpc.pb.h"
#include "service/rpc/server_settings.h"

namespace {

using pcap::v1::PcapService;

// A full capture with every field that a finished one has, as the gateway gives it for the upstream
// of tests/bench/upstream.py: both servers send as many bytes.
pcap::v1::GetPcapResponse TypicalAnswer() {
  pcap::v1::GetPcapResponse answer;
  pcap::v1::FullPcap& full = *answer.mutable_pcap()->mutable_full();
  full.set_id("66802ca5668e47a2b82c2e6746e45037");
  full.set_byte_limit(500'000);
  full.set_colo_name("ord02");
  full.set_destination_conf(
      "r2://pcaps?account-id=023e105f4ecef8ad9ca31a8372d0c353&access-key-id=REDACTED&"
      "secret-access-key=REDACTED");
  pcap::v1::PcapFilter& filter = *full.mutable_filter_v1();
  filter.set_destination_address("198.51.100.7");
  filter.set_destination_port(443);
  filter.set_protocol(6);
  filter.set_source_address("2001:db8:85a3::8a2e:370:7334");
  filter.set_source_port(50123);
  full.set_packets_captured(48213);
  full.set_status(pcap::v1::PCAP_STATUS_COMPLETE);
  full.mutable_stop_requested()->set_seconds(1'735'689'660);
  full.mutable_submitted()->set_seconds(1'735'689'600);
  full.mutable_submitted()->set_nanos(123'456'000);
  full.set_system(pcap::v1::PCAP_SYSTEM_MAGIC_TRANSIT);
  full.mutable_time_limit()->set_seconds(300);
  return answer;
}

// Neither the request is parsed nor the answer serialised: bytes in, bytes out.
class CallbackService final
    : public PcapService::WithRawCallbackMethod_GetPcap<PcapService::Service> {
 public:
  explicit CallbackService(const grpc::ByteBuffer& answer) : answer_(answer) {}

  grpc::ServerUnaryReactor* GetPcap(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* /*request*/,
                                    grpc::ByteBuffer* response) override {
    *response = answer_;  // shares the slice
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const grpc::ByteBuffer answer_;
};

// The same on a completion queue: calls take turns on a fixed set of slots.
class QueueService final : public PcapService::WithRawMethod_GetPcap<PcapService::Service> {
 public:
  explicit QueueService(const grpc::ByteBuffer& answer) : answer_(answer) {}

  // Answers until the queue ends.
  void Serve(grpc::ServerCompletionQueue& queue) {
    std::vector<Slot> slots(kSlots);
    for (Slot& slot : slots) Await(slot, queue);
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
      Slot& slot = *static_cast<Slot*>(tag);
      if (ok && !slot.answering) {
        slot.answering = true;
        slot.writer->Finish(answer_, grpc::Status::OK, &slot);
      } else {
        Await(slot, queue);
      }
    }
  }

 private:
  // As many as the gateway asks for ahead: Debian's gRPC has a debug check on, which searches all
  // of them for each event. A slot is free again before the next event, so more would wait for
  // nothing.
  static constexpr size_t kSlots = 64;

  struct Slot {
    bool answering = false;  // else: waiting for a call
    // Each good for one call.
    std::optional<grpc::ServerContext> context;
    std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> writer;
    grpc::ByteBuffer request;
  };

  void Await(Slot& slot, grpc::ServerCompletionQueue& queue) {
    slot.answering = false;
    slot.writer.reset();
    slot.writer.emplace(&slot.context.emplace());
    RequestGetPcap(&*slot.context, &slot.request, &*slot.writer, &queue, &queue, &slot);
  }

  const grpc::ByteBuffer answer_;
};

// Serves until a signal ends the process; there is nothing to save.
int Run(const std::string& mode, const std::string& address) {
  const std::string message = TypicalAnswer().SerializeAsString();
  const grpc::Slice slice(message);
  const grpc::ByteBuffer answer(&slice, 1);
  CallbackService callback_service(answer);
  QueueService queue_service(answer);
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  int port = 0;
  grpc::ServerBuilder builder;
  pcap_gateway::AddServerSettings(builder, /*channelz=*/false);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  if (mode == "queue") {
    builder.RegisterService(&queue_service);
    queue = builder.AddCompletionQueue();
  } else {
    builder.RegisterService(&callback_service);
  }
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::cerr << "bare_server: cannot listen on " << address << "\n";
    return 1;
  }
  std::cerr << "gRPC " << PCAP_GATEWAY_GRPC_BUILD << "; answers of " << message.size()
            << " bytes\n";
  std::cout << "listening on " << address.substr(0, address.rfind(':') + 1) << port << std::endl;
  if (queue != nullptr) queue_service.Serve(*queue);
  server->Wait();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // As the gateway does; see its main.cc.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app("Answers GetPcap with the same bytes each time");
  std::string mode = "callback";
  std::string address = "127.0.0.1:0";
  app.add_option("--mode", mode, "gRPC's API")->check(CLI::IsMember({"callback", "queue"}));
  app.add_option("--listen", address, "HOST:PORT");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return Run(mode, address);
}
