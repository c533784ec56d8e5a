#include "service/rpc/call.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "pcap/v1/pcap_service.grpc.pb.h"
#include "service/rpc/server.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

TEST(TimeToAnswer, LeavesAFifthOfAShortDeadlineForTheWayBack) {
  EXPECT_EQ(TimeToAnswer(absl::Milliseconds(100)), absl::Milliseconds(80));
}

TEST(TimeToAnswer, LeavesFiftyMillisecondsOfALongOne) {
  EXPECT_EQ(TimeToAnswer(absl::Seconds(10)), absl::Milliseconds(9950));
}

TEST(TimeToAnswer, OfADeadlineThatHasPassedIsNow) {
  EXPECT_LE(TimeToAnswer(absl::Milliseconds(-5)), absl::ZeroDuration());
}

// A source that has a stale answer for whoever leaves.
class StaleSource final : public Source {
 public:
  std::optional<Reply> AtHand(const Query&) override { return std::nullopt; }

  Ticket Ask(Query, Done done) override {
    const std::lock_guard lock(mutex_);
    done_ = std::move(done);
    asked_ = true;
    return Ticket([this] {
      pcap::v1::GetPcapResponse response;
      response.mutable_pcap()->mutable_full()->set_id("stale");
      std::move(done_)(
          {.outcome = MakeOutcome(absl::UnixEpoch(), response.SerializeAsString(), Stage::kFinal)});
    });
  }

  bool asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  mutable std::mutex mutex_;
  Done done_;
  bool asked_ = false;
};

class LeavingCallTest : public testing::Test {
 protected:
  LeavingCallTest()
      : server_(*Server::Start(source_,
                               {.listen = "127.0.0.1:0", .service_credential = TestCredential()})),
        stub_(pcap::v1::PcapService::NewStub(
            grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()))) {
    request_.set_account_id(NumberedId(1).ToString());
    request_.set_pcap_id(NumberedId(2).ToString());
  }

  uint64_t Handled(grpc::StatusCode code) const { return server_->stats().handled[code].Value(); }

  StaleSource source_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<pcap::v1::PcapService::Stub> stub_;
  grpc::ClientContext context_;
  pcap::v1::GetPcapRequest request_;
  pcap::v1::GetPcapResponse response_;
};

TEST_F(LeavingCallTest, ACancelledCallCountsAsCancelledWhateverTheSourceHas) {
  std::promise<grpc::Status> done;
  stub_->async()->GetPcap(&context_, &request_, &response_,
                          [&](grpc::Status status) { done.set_value(std::move(status)); });
  while (!source_.asked()) std::this_thread::yield();
  context_.TryCancel();
  EXPECT_EQ(done.get_future().get().error_code(), grpc::StatusCode::CANCELLED);
  while (Handled(grpc::StatusCode::OK) + Handled(grpc::StatusCode::CANCELLED) == 0) {
    std::this_thread::yield();
  }
  EXPECT_EQ(Handled(grpc::StatusCode::CANCELLED), 1u);
  EXPECT_EQ(Handled(grpc::StatusCode::OK), 0u);
}

TEST_F(LeavingCallTest, AtTheDeadlineWhatTheSourceHasIsAnAnswer) {
  context_.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(400));
  const grpc::Status status = stub_->GetPcap(&context_, request_, &response_);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response_.pcap().full().id(), "stale");
}

}  // namespace
}  // namespace pcap_gateway
