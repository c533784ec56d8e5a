#include "service/rpc/call.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pcap/v1/pcap_service.grpc.pb.h"
#include "service/rpc/server.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"
#include "tests/support/until.h"

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

  uint64_t Handled(grpc::StatusCode code) const {
    return server_->stats().of.front().handled[code].Value();
  }

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
  EXPECT_TRUE(Until([this] { return source_.asked(); }));
  context_.TryCancel();
  EXPECT_EQ(done.get_future().get().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Until(
      [this] { return Handled(grpc::StatusCode::OK) + Handled(grpc::StatusCode::CANCELLED) > 0; }));
  EXPECT_EQ(Handled(grpc::StatusCode::CANCELLED), 1u);
  EXPECT_EQ(Handled(grpc::StatusCode::OK), 0u);
}

TEST_F(LeavingCallTest, AtTheDeadlineWhatTheSourceHasIsAnAnswer) {
  context_.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(400));
  const grpc::Status status = stub_->GetPcap(&context_, request_, &response_);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response_.pcap().full().id(), "stale");
}

// Writes down what it is told.
class NotingObserver final : public CallObserver {
 public:
  struct Note {
    std::string method, account, resource, request_id, peer;
    absl::StatusCode code;
    int upstream_requests;
    bool took_time;
  };

  void Ended(const EndedCall& call) override {
    const std::lock_guard lock(mutex_);
    notes_.push_back({.method = std::string(call.method.data(), call.method.size()),
                      .account = call.query.account.ToString(),
                      .resource = call.query.resource.ToString(),
                      .request_id = std::string(call.request_id.data(), call.request_id.size()),
                      .peer = call.caller().address,
                      .code = call.code(),
                      .upstream_requests = call.upstream_requests,
                      .took_time = call.duration > absl::ZeroDuration()});
  }

  std::vector<Note> notes() const {
    const std::lock_guard lock(mutex_);
    return notes_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Note> notes_;
};

// A source whose only answer is at hand, or a failure to be waited for.
class OneAnswerSource final : public Source {
 public:
  std::optional<Reply> AtHand(const Query& query) override {
    if (query.resource != NumberedId(2)) return std::nullopt;
    return Reply{.outcome = MakeOutcome(absl::UnixEpoch(), "", Stage::kFinal)};
  }
  Ticket Ask(Query query, Done done) override {
    query.requests_sent->fetch_add(3);
    std::move(done)(FailedReply(
        Error(absl::StatusCode::kNotFound, Reason::kPcapNotFound, "there is no such capture")));
    return Ticket();
  }
};

TEST(CallObserver, IsToldOfEveryCallOnceBeforeItsAnswerIsSent) {
  NotingObserver observer;
  OneAnswerSource source;
  const std::unique_ptr<Server> server = *Server::Start(
      source,
      {.listen = "127.0.0.1:0", .service_credential = TestCredential(), .observers = {&observer}});
  const auto stub = pcap::v1::PcapService::NewStub(
      grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
  const auto ask = [&](const std::string& pcap_id) {
    grpc::ClientContext context;
    context.AddMetadata("x-request-id", "request-7");
    pcap::v1::GetPcapRequest request;
    request.set_account_id(NumberedId(1).ToString());
    request.set_pcap_id(pcap_id);
    pcap::v1::GetPcapResponse response;
    stub->GetPcap(&context, request, &response);
    return observer.notes();
  };

  ASSERT_EQ(ask(NumberedId(2).ToString()).size(), 1u);  // at hand
  ASSERT_EQ(ask(NumberedId(3).ToString()).size(), 2u);  // asked for
  const std::vector<NotingObserver::Note> notes = ask("not an id");
  ASSERT_EQ(notes.size(), 3u);
  for (const NotingObserver::Note& note : notes) {
    EXPECT_EQ(note.method, "/pcap.v1.PcapService/GetPcap");
    EXPECT_EQ(note.request_id, "request-7");
    EXPECT_EQ(note.account, NumberedId(1).ToString());
    EXPECT_TRUE(note.peer.starts_with("ipv4:127.0.0.1:")) << note.peer;
    EXPECT_TRUE(note.took_time);
  }
  EXPECT_EQ(notes[0].code, absl::StatusCode::kOk);
  EXPECT_EQ(notes[0].resource, NumberedId(2).ToString());
  EXPECT_EQ(notes[1].code, absl::StatusCode::kNotFound);
  EXPECT_EQ(notes[1].resource, NumberedId(3).ToString());
  EXPECT_EQ(notes[2].code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(notes[0].upstream_requests, 0);
  EXPECT_EQ(notes[1].upstream_requests, 3);
  EXPECT_EQ(notes[2].upstream_requests, 0);
}

}  // namespace
}  // namespace pcap_gateway
