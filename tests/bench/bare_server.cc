// The yardstick of tests/bench/run: a gRPC server that answers with the same bytes each time and
// looks at nothing. What the gateway takes beyond this is the gateway's own doing.
//
//   bare_server [--mode=callback|queue] [--listen=HOST:PORT]     default port: any free one
//
// Prints `listening on HOST:PORT`. The modes are gRPC's two asynchronous server APIs; the gateway
// is on completion queues. Both answer GetPcap; the callback API the methods below, too:
//
//   ListPcaps      50 captures
//   WatchPcaps     50 captures, and then one more whenever somebody calls StopPcap
//   StopPcap       says `telling at T`, in seconds of CLOCK_MONOTONIC, and tells those who watch
//   DownloadPcap   --download-bytes from memory, in pieces of 64 KiB
//
// It has the gateway's settings, those that make Debian's gRPC cheaper and
// those that cost: a ratio of one server to another with other settings would say nothing.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "pcap/v1/pcap_service.grpc.pb.h"
#include "service/base/mutex.h"
#include "service/rpc/server_settings.h"
#include "tests/bench/program.h"

namespace {

using pcap::v1::PcapService;
using pcap_gateway::Lock;
using pcap_gateway::Mutex;

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

// As many as Cloudflare lists.
constexpr int kCaptures = 50;
constexpr size_t kPieceBytes = 64 << 10;

grpc::ByteBuffer BytesOf(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// Of all methods; whoever sends one shares its slice.
struct Answers {
  explicit Answers(const pcap::v1::GetPcapResponse& typical) : one(BytesOf(typical)) {
    pcap::v1::ListPcapsResponse answer;
    for (int n = 0; n < kCaptures; ++n) *answer.add_pcaps() = typical.pcap();
    list = BytesOf(answer);
    pcap::v1::DownloadPcapResponse message;
    message.set_data(std::string(kPieceBytes, '\0'));
    piece = BytesOf(message);
  }

  grpc::ByteBuffer one;  // of WatchPcaps, too: on the wire a message of both is the same
  grpc::ByteBuffer list;
  grpc::ByteBuffer piece;
};

class WatchStream;

// The streams that are open.
class Watched {
 public:
  void Add(WatchStream* stream) {
    const Lock lock(mutex_);
    streams_.insert(stream);
  }
  void Remove(WatchStream* stream) {
    const Lock lock(mutex_);
    streams_.erase(stream);
  }
  void TellAll();

 private:
  Mutex mutex_;
  std::unordered_set<WatchStream*> streams_ ABSL_GUARDED_BY(mutex_);
};

class WatchStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  WatchStream(Watched& watched, const grpc::ByteBuffer& message)
      : watched_(watched), message_(message) {
    watched_.Add(this);
    Tell(kCaptures);
  }

  // So many messages more.
  void Tell(int messages) {
    const Lock lock(mutex_);
    const bool idle = left_ == 0;
    left_ += messages;
    if (idle && !finished_) StartWrite(&message_);
  }

  void OnWriteDone(bool ok) override {
    const Lock lock(mutex_);
    if (!ok || --left_ == 0 || finished_) return;
    StartWrite(&message_);
  }

  void OnCancel() override {
    const Lock lock(mutex_);
    finished_ = true;
    Finish(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    watched_.Remove(this);
    delete this;
  }

 private:
  Watched& watched_;
  const grpc::ByteBuffer& message_;
  Mutex mutex_;
  int left_ ABSL_GUARDED_BY(mutex_) = 0;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

void Watched::TellAll() {
  const Lock lock(mutex_);
  const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
  std::cout << "telling at " << std::fixed << std::setprecision(6) << now.count() << std::endl;
  for (WatchStream* const stream : streams_) stream->Tell(1);
}

class DownloadStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  DownloadStream(const grpc::ByteBuffer& piece, int64_t bytes)
      : piece_(piece), left_((bytes + kPieceBytes - 1) / kPieceBytes) {
    StartWrite(&piece_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    if (--left_ == 0) return Finish(grpc::Status::OK);
    StartWrite(&piece_);
  }

  void OnDone() override { delete this; }

 private:
  const grpc::ByteBuffer& piece_;
  int64_t left_;
};

// Neither the request is parsed nor the answer serialised: bytes in, bytes out.
using RawMethods =
    PcapService::WithRawCallbackMethod_GetPcap<PcapService::WithRawCallbackMethod_ListPcaps<
        PcapService::WithRawCallbackMethod_WatchPcaps<PcapService::WithRawCallbackMethod_StopPcap<
            PcapService::WithRawCallbackMethod_DownloadPcap<PcapService::Service>>>>>;

class CallbackService final : public RawMethods {
 public:
  CallbackService(const Answers& answers, int64_t download_bytes)
      : answers_(answers), download_bytes_(download_bytes) {}

  grpc::ServerUnaryReactor* GetPcap(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* /*request*/,
                                    grpc::ByteBuffer* response) override {
    return Answer(context, answers_.one, response);
  }

  grpc::ServerUnaryReactor* ListPcaps(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* /*request*/,
                                      grpc::ByteBuffer* response) override {
    return Answer(context, answers_.list, response);
  }

  grpc::ServerUnaryReactor* StopPcap(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* /*request*/,
                                     grpc::ByteBuffer* response) override {
    watched_.TellAll();
    return Answer(context, answers_.one, response);
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchPcaps(
      grpc::CallbackServerContext* /*context*/, const grpc::ByteBuffer* /*request*/) override {
    return new WatchStream(watched_, answers_.one);
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* DownloadPcap(
      grpc::CallbackServerContext* /*context*/, const grpc::ByteBuffer* /*request*/) override {
    return new DownloadStream(answers_.piece, download_bytes_);
  }

 private:
  static grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer& answer,
                                          grpc::ByteBuffer* response) {
    *response = answer;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  const Answers& answers_;
  const int64_t download_bytes_;
  Watched watched_;
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

// Serves until a signal ends the process; there is nothing to save. Returns why it cannot.
std::string Run(const std::string& mode, const std::string& address, int64_t download_bytes) {
  const Answers answers(TypicalAnswer());
  CallbackService callback_service(answers, download_bytes);
  QueueService queue_service(answers.one);
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
    return "cannot listen on " + address;
  }
  std::cerr << "gRPC " << PCAP_GATEWAY_GRPC_BUILD << "; answers of " << answers.one.Length()
            << " bytes\n";
  std::cout << "listening on " << address.substr(0, address.rfind(':') + 1) << port << std::endl;
  if (queue != nullptr) queue_service.Serve(*queue);
  server->Wait();
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  // As the gateway does; see its main.cc.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app("Answers with the same bytes each time");
  std::string mode = "callback";
  std::string address = "127.0.0.1:0";
  app.add_option("--mode", mode, "gRPC's API")->check(CLI::IsMember({"callback", "queue"}));
  app.add_option("--listen", address, "HOST:PORT");
  int64_t download_bytes = 1'000'000'000;
  app.add_option("--download-bytes", download_bytes)->check(CLI::PositiveNumber);
  return pcap_gateway::bench::RunProgram("bare_server", app, [&] {
    app.parse(argc, argv);
    return Run(mode, address, download_bytes);
  });
}
