#include "service/rpc/health.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/unit/rpc/running_server.h"

namespace pcap_gateway {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr char kCheckPath[] = "/grpc.health.v1.Health/Check";
constexpr char kWatchPath[] = "/grpc.health.v1.Health/Watch";

HealthCheckRequest RequestFor(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request;
}

// A client that watches one service.
class Watcher {
 public:
  Watcher(const std::shared_ptr<grpc::Channel>& channel, const std::string& service)
      : stub_(grpc::health::v1::Health::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    reader_ = stub_->Watch(&context_, RequestFor(service));
  }

  // The next status; -1: there was none.
  int Next() {
    HealthCheckResponse response;
    return reader_->Read(&response) ? static_cast<int>(response.status()) : -1;
  }
  void Cancel() { context_.TryCancel(); }
  grpc::Status End() { return reader_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

class HealthTest : public testing::Test {
 protected:
  grpc::Status Check(const std::string& service) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return grpc::health::v1::Health::NewStub(server_.channel())
        ->Check(&context, RequestFor(service), &response_);
  }

  RunningServer server_;
  HealthCheckResponse response_;
};

TEST_F(HealthTest, TheServerAndTheServiceAreServing) {
  for (const char* service : {"", "pcap.v1.PcapService"}) {
    ASSERT_TRUE(Check(service).ok()) << service;
    EXPECT_EQ(response_.status(), HealthCheckResponse::SERVING) << service;
  }
}

TEST_F(HealthTest, ACheckOfAnUnknownServiceIsNotFound) {
  EXPECT_EQ(Check("no.Such").error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthTest, InTheLameDuckTimeChecksAndNewWatchesSayNotServing) {
  server_.Drain([&] {
    for (const char* service : {"", "pcap.v1.PcapService"}) {
      ASSERT_TRUE(Check(service).ok()) << service;
      EXPECT_EQ(response_.status(), HealthCheckResponse::NOT_SERVING) << service;
      Watcher watcher(server_.channel(), service);
      EXPECT_EQ(watcher.Next(), HealthCheckResponse::NOT_SERVING) << service;
      watcher.Cancel();
    }
  });
}

TEST_F(HealthTest, AWatchSeesTheDrainBeginAndEnd) {
  Watcher watcher(server_.channel(), "pcap.v1.PcapService");
  ASSERT_EQ(watcher.Next(), HealthCheckResponse::SERVING);
  server_.Drain([&] { EXPECT_EQ(watcher.Next(), HealthCheckResponse::NOT_SERVING); });
  EXPECT_EQ(watcher.Next(), -1);
  const grpc::Status end = watcher.End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::UNAVAILABLE);
  // Told, not cut off.
  EXPECT_EQ(end.error_message(), "the server is shutting down");
}

TEST_F(HealthTest, AWatchOfAnUnknownServiceSaysSoAndStaysOpen) {
  Watcher watcher(server_.channel(), "no.Such");
  ASSERT_EQ(watcher.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  server_.Drain();
  // Nothing in between, and what ended it is the drain.
  EXPECT_EQ(watcher.Next(), -1);
  EXPECT_EQ(watcher.End().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// On ten connections, so that no queue is left out.
std::vector<std::unique_ptr<Watcher>> WatchHundredfold(const RunningServer& server) {
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < 10; ++i) {
    const auto channel = server.NewChannel();
    for (int j = 0; j < 10; ++j) watchers.push_back(std::make_unique<Watcher>(channel, ""));
  }
  for (auto& watcher : watchers) EXPECT_EQ(watcher->Next(), HealthCheckResponse::SERVING);
  return watchers;
}

TEST_F(HealthTest, AllWatchesSeeAChangeWhicheverTheirQueue) {
  const auto watchers = WatchHundredfold(server_);
  server_.Drain([&] {
    for (auto& watcher : watchers) EXPECT_EQ(watcher->Next(), HealthCheckResponse::NOT_SERVING);
  });
  for (auto& watcher : watchers) {
    EXPECT_EQ(watcher->Next(), -1);
    EXPECT_EQ(watcher->End().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
}

TEST_F(HealthTest, AllWatchesSeeTheChangeEvenWhereThereIsNoLameDuckTime) {
  const auto watchers = WatchHundredfold(server_);
  server_.Drain();
  for (auto& watcher : watchers) {
    EXPECT_EQ(watcher->Next(), HealthCheckResponse::NOT_SERVING);
    EXPECT_EQ(watcher->Next(), -1);
    EXPECT_EQ(watcher->End().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
}

TEST_F(HealthTest, AWatchCanBeCancelledAndOthersGoOn) {
  Watcher leaving(server_.channel(), "");
  Watcher staying(server_.channel(), "");
  ASSERT_EQ(leaving.Next(), HealthCheckResponse::SERVING);
  ASSERT_EQ(staying.Next(), HealthCheckResponse::SERVING);
  leaving.Cancel();
  EXPECT_EQ(leaving.Next(), -1);
  EXPECT_EQ(leaving.End().error_code(), grpc::StatusCode::CANCELLED);
  server_.Drain([&] { EXPECT_EQ(staying.Next(), HealthCheckResponse::NOT_SERVING); });
}

TEST_F(HealthTest, AServerMayBeDestroyedUnderOpenWatches) {
  Watcher watcher(server_.channel(), "");
  ASSERT_EQ(watcher.Next(), HealthCheckResponse::SERVING);
  server_.Destroy();
  EXPECT_EQ(watcher.Next(), -1);
  EXPECT_NE(watcher.End().error_code(), grpc::StatusCode::OK);
}

TEST_F(HealthTest, BytesThatAreNoRequestAreAnInvalidArgument) {
  for (const char* path : {kCheckPath, kWatchPath}) {
    RawCall call(server_.channel(), path);
    ASSERT_TRUE(call.Write(MalformedBytes()));
    EXPECT_FALSE(call.Read()) << path;
    EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT) << path;
  }
  EXPECT_TRUE(Check("").ok());
}

TEST_F(HealthTest, ACallWithoutARequestIsAnError) {
  for (const char* path : {kCheckPath, kWatchPath}) {
    RawCall call(server_.channel(), path);
    ASSERT_TRUE(call.WritesDone());
    EXPECT_FALSE(call.Read()) << path;
    EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::INTERNAL) << path;
  }
}

}  // namespace
}  // namespace pcap_gateway
