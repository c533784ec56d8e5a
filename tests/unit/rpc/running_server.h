// RunningServer: a gRPC server of ours, in this process, and clients of it.
#ifndef PCAP_GATEWAY_TESTS_UNIT_RPC_RUNNING_SERVER_H_
#define PCAP_GATEWAY_TESTS_UNIT_RPC_RUNNING_SERVER_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "service/rpc/server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {

class RunningServer {
 public:
  explicit RunningServer(bool reflection = true) {
    server_ = *Server::Start(source_, {.listen = "127.0.0.1:0",
                                       .reflection = reflection,
                                       .service_credential = TestCredential()});
    channel_ = NewChannel();
  }

  Server& operator*() { return *server_; }
  Server* operator->() { return server_.get(); }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // With a connection of its own, which gRPC may give to another queue.
  std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  // Runs `in_lame_duck` in the lame duck time. Then waits for calls as long as it takes.
  void Drain(std::function<void()> in_lame_duck = [] {}) {
    bool first = true;
    server_->Drain(absl::Seconds(1), absl::Hours(1), [&](absl::Duration most) {
      if (std::exchange(first, false)) {
        in_lame_duck();
      } else {
        absl::SleepFor(most);
      }
      return true;
    });
  }

  void Destroy() { server_.reset(); }

 private:
  FakeClock clock_;
  FakeSource source_{clock_};
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// A call of any method, whose messages are whatever bytes. Each operation waits for its end.
class RawCall {
 public:
  RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& path) : stub_(channel) {
    // No test is to hang.
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    call_ = stub_.PrepareCall(&context_, path, &queue_);
    call_->StartCall(nullptr);
    Await();
  }

  ~RawCall() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  bool Write(const std::string& bytes) {
    StartWrite(bytes);
    return Await();
  }
  bool WritesDone() {
    call_->WritesDone(nullptr);
    return Await();
  }
  bool Read() {
    call_->Read(&answer_, nullptr);
    return Await();
  }
  grpc::Status Finish() {
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Await();
    return status;
  }

  // False: it was not written within `patience`, which ends the use of this object.
  bool WriteWithin(std::chrono::milliseconds patience, const std::string& bytes) {
    StartWrite(bytes);
    void* tag;
    bool ok = false;
    return queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + patience) ==
               grpc::CompletionQueue::GOT_EVENT &&
           ok;
  }

 private:
  void StartWrite(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  }

  bool Await() {
    void* tag;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer answer_;
};

// No protobuf message begins so: field 1, of 100 bytes, and then nothing.
inline std::string MalformedBytes() { return std::string("\x0a\x64", 2); }

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_UNIT_RPC_RUNNING_SERVER_H_
