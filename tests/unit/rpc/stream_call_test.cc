#include "service/rpc/stream_call.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "pcap/v1/pcap_service.grpc.pb.h"
#include "service/rpc/server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

using pcap::v1::DownloadPcapRequest;
using pcap::v1::DownloadPcapResponse;
using pcap::v1::PcapService;

constexpr size_t kMuch = 32 << 20;

// Downloads are the streams of answers that there are.
class StreamCallTest : public testing::Test {
 protected:
  explicit StreamCallTest(absl::Duration longest_read = absl::Seconds(60))
      : server_(*Server::Start(source_, {.listen = "127.0.0.1:0",
                                         .service_credential = TestCredential(),
                                         .allowed = {.download = true},
                                         .streams = {.longest_read = longest_read}})),
        stub_(PcapService::NewStub(
            grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()))) {
    // With sanitizers and other tests beside it much takes its time.
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(100));
    request_.set_account_id(NumberedId(1).ToString());
    request_.set_pcap_id(NumberedId(2).ToString());
  }

  // Starts a call, and waits for its question.
  void Start() {
    reader_ = stub_->DownloadPcap(&context_, request_);
    ASSERT_TRUE(source_.AwaitAsked(1));
    sink_ = source_.query(0).sink;
    ASSERT_NE(sink_, nullptr);
  }

  // A piece of so many bytes. False: the sink is full.
  bool Push(size_t bytes) {
    return sink_->Take(std::string(bytes, 'p'), [this] { ++resumed_; });
  }
  // More than the connection takes for a reader who does not read.
  void PushUntilFull() {
    sink_->Begin(std::nullopt);
    EXPECT_FALSE(Push(kMuch));
  }

  uint64_t Handled(grpc::StatusCode code) const {
    uint64_t handled = 0;
    for (const MethodStats& stats : server_->stats().of) handled += stats.handled[code].Value();
    return handled;
  }
  int64_t Open() const {
    int64_t open = 0;
    for (const MethodStats& stats : server_->stats().of) open += stats.open.load();
    return open;
  }

  FakeClock clock_;
  FakeSource source_{clock_};
  std::unique_ptr<Server> server_;
  std::unique_ptr<PcapService::Stub> stub_;
  grpc::ClientContext context_;
  DownloadPcapRequest request_;
  DownloadPcapResponse response_;
  std::unique_ptr<grpc::ClientReader<DownloadPcapResponse>> reader_;
  std::shared_ptr<BodySink> sink_;
  std::atomic<int> resumed_{0};
};

TEST_F(StreamCallTest, WhatTheSinkTakesArrivesInOrder) {
  Start();
  sink_->Begin(70'003);
  EXPECT_TRUE(sink_->Take("abc", [] {}));
  // Longer than a message may be.
  sink_->Take(std::string(70'000, 'x'), [] {});
  source_.Answer(0, "");
  std::string got;
  int messages = 0;
  while (reader_->Read(&response_)) {
    EXPECT_EQ(response_.has_total_bytes(), messages++ == 0);
    EXPECT_LE(response_.data().size(), size_t{64} << 10);
    got += response_.data();
  }
  EXPECT_EQ(got, "abc" + std::string(70'000, 'x'));
  EXPECT_TRUE(reader_->Finish().ok());
  EXPECT_TRUE(Until([this] { return Open() == 0; }));
  EXPECT_EQ(Handled(grpc::StatusCode::OK), 1u);
}

TEST_F(StreamCallTest, ASlowReaderHoldsUpTheSinkUntilItReads) {
  Start();
  PushUntilFull();
  EXPECT_EQ(resumed_, 0);
  EXPECT_EQ(Open(), 1);
  size_t got = 0;
  while (resumed_ == 0 && reader_->Read(&response_)) got += response_.data().size();
  EXPECT_GT(resumed_, 0);
  source_.Answer(0, "");
  while (reader_->Read(&response_)) got += response_.data().size();
  EXPECT_TRUE(reader_->Finish().ok());
  EXPECT_EQ(got, kMuch);
}

TEST_F(StreamCallTest, WhatWasTakenComesBeforeAFailure) {
  Start();
  sink_->Begin(100);
  EXPECT_TRUE(Push(50));
  source_.Fail(0, absl::StatusCode::kDataLoss, Reason::kDownloadIncomplete, 200);
  EXPECT_TRUE(reader_->Read(&response_));
  EXPECT_EQ(response_.data().size(), 50u);
  EXPECT_FALSE(reader_->Read(&response_));
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::DATA_LOSS);
}

TEST_F(StreamCallTest, WhoCancelsEndsTheQuestionThoughNothingIsRead) {
  Start();
  PushUntilFull();
  context_.TryCancel();
  EXPECT_TRUE(Until([this] { return source_.cancelled(0); }));
  EXPECT_TRUE(Until([this] { return Open() == 0; }));
  EXPECT_EQ(Handled(grpc::StatusCode::CANCELLED), 1u);
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StreamCallTest, TheDeadlineEndsItThoughNothingIsRead) {
  context_.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
  Start();
  PushUntilFull();
  EXPECT_TRUE(Until([this] { return Open() == 0; }));
  EXPECT_TRUE(source_.cancelled(0));
  while (reader_->Read(&response_)) {
  }
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(Handled(grpc::StatusCode::DEADLINE_EXCEEDED), 1u);
}

TEST_F(StreamCallTest, ADrainEndsIt) {
  Start();
  sink_->Begin(100);
  EXPECT_TRUE(Push(50));
  EXPECT_TRUE(reader_->Read(&response_));
  std::thread drain([this] {
    server_->Drain(absl::ZeroDuration(), absl::Seconds(10), [](absl::Duration most) {
      absl::SleepFor(most);
      return true;
    });
  });
  EXPECT_FALSE(reader_->Read(&response_));
  const grpc::Status status = reader_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(status.error_details(), "");
  EXPECT_TRUE(source_.cancelled(0));
  reader_.reset();
  stub_.reset();
  drain.join();
}

class ImpatientStreamCallTest : public StreamCallTest {
 protected:
  ImpatientStreamCallTest() : StreamCallTest(absl::Milliseconds(50)) {}
};

TEST_F(ImpatientStreamCallTest, WhoReadsNothingIsEndedAndToldWhy) {
  Start();
  PushUntilFull();
  EXPECT_TRUE(Until([this] { return Open() == 0; }));
  EXPECT_TRUE(source_.cancelled(0));
  while (reader_->Read(&response_)) {
  }
  const grpc::Status status = reader_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("--stream-idle-timeout"), std::string::npos);
}

TEST_F(ImpatientStreamCallTest, WhoHasNothingToReadStays) {
  Start();
  sink_->Begin(100);
  EXPECT_TRUE(Push(50));
  EXPECT_TRUE(reader_->Read(&response_));
  // Beside one who has.
  grpc::ClientContext other;
  const auto idle = stub_->DownloadPcap(&other, request_);
  ASSERT_TRUE(source_.AwaitAsked(2));
  const std::shared_ptr<BodySink> sink = source_.query(1).sink;
  EXPECT_FALSE(sink->Take(std::string(kMuch, 'p'), [] {}));
  EXPECT_TRUE(Until([this] { return source_.cancelled(1); }));
  EXPECT_FALSE(source_.cancelled(0));
  source_.Answer(0, "");
  EXPECT_FALSE(reader_->Read(&response_));
  EXPECT_TRUE(reader_->Finish().ok());
}

TEST(StreamCall, HasToBeAllowed) {
  FakeClock clock;
  FakeSource source(clock);
  const auto server =
      *Server::Start(source, {.listen = "127.0.0.1:0", .service_credential = TestCredential()});
  const auto stub = PcapService::NewStub(
      grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto reader = stub->DownloadPcap(&context, DownloadPcapRequest());
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(source.asked(), 0u);
}

}  // namespace
}  // namespace pcap_gateway
