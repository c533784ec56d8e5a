#include "service/rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "pcap/v1/pcap_service.grpc.pb.h"
#include "tests/support/event.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

using pcap::v1::GetPcapRequest;
using pcap::v1::GetPcapResponse;

// A source that answers at once, from hand or when asked, and keeps the queries it saw.
class ImmediateSource final : public Source {
 public:
  std::optional<Reply> AtHand(const Query& query) override {
    const std::lock_guard lock(mutex_);
    queries_.push_back(query);
    if (!at_hand_) return std::nullopt;
    return reply_;
  }

  Ticket Ask(Query, Done done) override {
    Reply reply;
    {
      const std::lock_guard lock(mutex_);
      reply = reply_;
    }
    std::move(done)(std::move(reply));
    return {};
  }

  void Set(Reply reply, bool at_hand) {
    const std::lock_guard lock(mutex_);
    reply_ = std::move(reply);
    at_hand_ = at_hand;
  }

  Query last_query() const {
    const std::lock_guard lock(mutex_);
    return queries_.at(queries_.size() - 1);
  }
  size_t asked() const {
    const std::lock_guard lock(mutex_);
    return queries_.size();
  }

 private:
  mutable std::mutex mutex_;
  Reply reply_;
  bool at_hand_ = true;
  std::vector<Query> queries_;
};

std::string ResponseWith(const std::string& id) {
  GetPcapResponse response;
  response.mutable_pcap()->mutable_full()->set_id(id);
  return response.SerializeAsString();
}

Reply HitWith(const std::string& id) {
  return {.outcome = MakeOutcome(absl::UnixEpoch(), ResponseWith(id), Stage::kFinal),
          .cache_status = {.how = CacheStatus::How::kHit, .ttl = absl::Seconds(27)},
          .age = absl::Milliseconds(3900)};
}

GetPcapRequest GoodRequest() {
  GetPcapRequest request;
  request.set_account_id(NumberedId(1).ToString());
  request.set_pcap_id(NumberedId(2).ToString());
  return request;
}

std::string InitialMetadata(const grpc::ClientContext& context, const std::string& key) {
  const auto& all = context.GetServerInitialMetadata();
  const auto found = all.find(key);
  return found == all.end() ? "" : std::string(found->second.data(), found->second.size());
}

google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  if (!details.ParseFromString(status.error_details())) return info;
  for (const auto& detail : details.details()) {
    if (detail.Is<google::rpc::ErrorInfo>()) {
      EXPECT_TRUE(detail.UnpackTo(&info));
    }
  }
  return info;
}

class ServerTest : public testing::Test {
 protected:
  void Start(Source& source, std::shared_ptr<const Credential> credential = TestCredential()) {
    auto server = Server::Start(
        source, {.listen = "127.0.0.1:0", .service_credential = std::move(credential)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    stub_ = pcap::v1::PcapService::NewStub(channel_);
  }

  grpc::Status Get(const GetPcapRequest& request = GoodRequest()) {
    return stub_->GetPcap(&context_, request, &response_);
  }

  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pcap::v1::PcapService::Stub> stub_;
  grpc::ClientContext context_;
  GetPcapResponse response_;
};

TEST_F(ServerTest, AReplyAtHandIsSentWithItsMetadata) {
  ImmediateSource source;
  source.Set(HitWith("abc"), /*at_hand=*/true);
  Start(source);
  context_.AddMetadata("x-request-id", "req-1");
  const grpc::Status status = Get();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response_.pcap().full().id(), "abc");
  EXPECT_EQ(InitialMetadata(context_, "cache-status"), "pcap-gateway; hit; ttl=27");
  EXPECT_EQ(InitialMetadata(context_, "age"), "3");
  EXPECT_EQ(InitialMetadata(context_, "x-request-id"), "req-1");
}

TEST_F(ServerTest, AReplyThatHasToBeAskedForIsSentToo) {
  ImmediateSource source;
  Reply reply = HitWith("abc");
  reply.cache_status.how = CacheStatus::How::kUriMiss;
  source.Set(reply, /*at_hand=*/false);
  Start(source);
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(response_.pcap().full().id(), "abc");
  EXPECT_EQ(InitialMetadata(context_, "cache-status"), "pcap-gateway; fwd=uri-miss; ttl=27");
  EXPECT_EQ(InitialMetadata(context_, "x-request-id").size(), 32u);
}

TEST_F(ServerTest, TheQueryIsWhatTheCallSaid) {
  ImmediateSource source;
  source.Set(HitWith("abc"), /*at_hand=*/true);
  Start(source);
  context_.AddMetadata("cache-control", "max-age=9");
  GetPcapRequest request = GoodRequest();
  request.mutable_max_age()->set_seconds(30);
  ASSERT_TRUE(Get(request).ok());
  EXPECT_EQ(source.last_query().account, NumberedId(1));
  EXPECT_EQ(source.last_query().resource, NumberedId(2));
  EXPECT_EQ(source.last_query().max_age, absl::Seconds(9));
}

TEST_F(ServerTest, AMalformedRequestNeverReachesTheSource) {
  ImmediateSource source;
  Start(source);
  GetPcapRequest request;
  request.set_pcap_id("../../zones");
  const grpc::Status status = Get(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(InfoOf(status).reason(), "INVALID_REQUEST");
  EXPECT_EQ(InfoOf(status).domain(), "pcap.v1");
  EXPECT_EQ(source.asked(), 0u);
}

TEST_F(ServerTest, IdsAreCheckedBeforeTheCredential) {
  ImmediateSource source;
  Start(source, /*credential=*/nullptr);
  EXPECT_EQ(Get(GetPcapRequest()).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, ACallWithoutACredentialIsRefusedWhereCallersBringTheirOwn) {
  ImmediateSource source;
  Start(source, /*credential=*/nullptr);
  const grpc::Status status = Get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(InfoOf(status).reason(), "MISSING_CREDENTIAL");
  EXPECT_EQ(source.asked(), 0u);
}

TEST_F(ServerTest, ACallersCredentialIsUsedWhereCallersBringTheirOwn) {
  ImmediateSource source;
  source.Set(HitWith("abc"), /*at_hand=*/true);
  Start(source, /*credential=*/nullptr);
  context_.AddMetadata("authorization", "Bearer mine");
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(source.last_query().credential->owner(), Credential::Owner::kCaller);
}

TEST_F(ServerTest, BytesThatAreNoRequestAreAnInvalidArgument) {
  ImmediateSource source;
  Start(source);
  // Field 1, length 100, and then nothing.
  const grpc::Slice slice(std::string("\x0a\x64", 2));
  const grpc::ByteBuffer bytes(&slice, 1);
  grpc::GenericStub stub(channel_);
  std::promise<grpc::Status> done;
  grpc::ByteBuffer answer;
  stub.UnaryCall(&context_, "/pcap.v1.PcapService/GetPcap", {}, &bytes, &answer,
                 [&](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(InfoOf(status).reason(), "INVALID_REQUEST");
}

TEST_F(ServerTest, AnErrorFromTheSourceKeepsItsDetails) {
  ImmediateSource source;
  Error error(absl::StatusCode::kNotFound, Reason::kPcapNotFound, "no such capture");
  source.Set({.outcome = MakeFailure(absl::UnixEpoch(), std::move(error), 404),
              .cache_status = {.how = CacheStatus::How::kUriMiss}},
             /*at_hand=*/false);
  Start(source);
  const grpc::Status status = Get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no such capture");
  EXPECT_EQ(InfoOf(status).reason(), "PCAP_NOT_FOUND");
}

// By gRFC A6 an attempt that got initial metadata is not tried again, so errors bring none.
TEST_F(ServerTest, AnErrorComesWithTrailingMetadataAlone) {
  ImmediateSource source;
  Error error(absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, "try again");
  source.Set({.outcome = MakeFailure(absl::UnixEpoch(), std::move(error), 503),
              .cache_status = {.how = CacheStatus::How::kUriMiss}},
             /*at_hand=*/false);
  Start(source);
  EXPECT_EQ(Get().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(context_.GetServerInitialMetadata().empty());
  const auto& trailing = context_.GetServerTrailingMetadata();
  EXPECT_EQ(trailing.count("cache-status"), 1u);
  EXPECT_EQ(trailing.count("x-request-id"), 1u);
}

// gRFC A6. Another replica may take what this one had no room for; what failed at Cloudflare has
// been tried as often as it should be.
TEST_F(ServerTest, WhatFailedUpstreamIsNotForClientsToTryAgain) {
  const struct {
    absl::StatusCode code;
    Reason reason;
    bool held_back;
  } all[] = {{absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, true},
             {absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable, true},
             {absl::StatusCode::kUnavailable, Reason::kShuttingDown, false},
             {absl::StatusCode::kUnavailable, Reason::kOverloaded, false},
             {absl::StatusCode::kNotFound, Reason::kPcapNotFound, false}};
  ImmediateSource source;
  Start(source);
  for (const auto& [code, reason, held_back] : all) {
    source.Set({.outcome = MakeFailure(absl::UnixEpoch(), Error(code, reason, "failed"), 0)},
               /*at_hand=*/false);
    grpc::ClientContext context;
    EXPECT_FALSE(stub_->GetPcap(&context, GoodRequest(), &response_).ok());
    const auto& trailing = context.GetServerTrailingMetadata();
    const auto found = trailing.find("grpc-retry-pushback-ms");
    ASSERT_EQ(found != trailing.end(), held_back) << NameOf(reason);
    if (held_back) {
      EXPECT_EQ(found->second, "-1");
    }
  }
}

TEST_F(ServerTest, ForeignTextInMetadataDoesNotEndTheProcess) {
  ImmediateSource source;
  auto outcome = std::make_shared<Outcome>();
  outcome->message = ResponseWith("abc");
  outcome->http_status = 200;
  outcome->cf_ray = Ray("evil\r\n\x01");
  source.Set({.outcome = outcome, .cache_status = {.how = CacheStatus::How::kUriMiss}},
             /*at_hand=*/false);
  Start(source);
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(InitialMetadata(context_, "cf-ray"), "");
}

TEST_F(ServerTest, TheDeadlineIsToldWithItsReasonBeforeItPasses) {
  FakeClock clock;
  FakeSource source(clock);
  Start(source);
  context_.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(400));
  const grpc::Status status = Get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(InfoOf(status).reason(), "DEADLINE_EXCEEDED");
  EXPECT_TRUE(source.cancelled(0));
}

TEST_F(ServerTest, ACallersCancelReachesTheSource) {
  FakeClock clock;
  FakeSource source(clock);
  Start(source);
  std::promise<grpc::Status> done;
  const GetPcapRequest request = GoodRequest();
  stub_->async()->GetPcap(&context_, &request, &response_,
                          [&](grpc::Status status) { done.set_value(std::move(status)); });
  EXPECT_TRUE(Until([&] { return source.asked() > 0; }));
  context_.TryCancel();
  EXPECT_EQ(done.get_future().get().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Until([&] { return source.cancelled(0); }));
  EXPECT_TRUE(Until([&] { return server_->stats().waiting.load() == 0; }));
}

TEST_F(ServerTest, DrainTellsHealthFirstAndLetsCallsFinish) {
  FakeClock clock;
  FakeSource source(clock);
  Start(source);
  std::promise<grpc::Status> done;
  const GetPcapRequest request = GoodRequest();
  stub_->async()->GetPcap(&context_, &request, &response_,
                          [&](grpc::Status status) { done.set_value(std::move(status)); });
  EXPECT_TRUE(Until([&] { return source.asked() > 0; }));

  Event in_lame_duck;
  Event end_lame_duck;
  std::thread drain([&] {
    bool first = true;
    server_->Drain(absl::Seconds(1), absl::Seconds(30), [&](absl::Duration most) {
      if (std::exchange(first, false)) {
        in_lame_duck.Happen();
        return end_lame_duck.Await();
      }
      absl::SleepFor(most);
      return true;
    });
  });
  ASSERT_TRUE(in_lame_duck.Await());
  EXPECT_FALSE(server_->serving());
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse health_response;
  ASSERT_TRUE(health->Check(&context, {}, &health_response).ok());
  EXPECT_EQ(health_response.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  end_lame_duck.Happen();
  source.Answer(0, ResponseWith("abc"));
  EXPECT_TRUE(done.get_future().get().ok());
  drain.join();
}

TEST_F(ServerTest, DrainEndsCallsThatDoNotFinishInTime) {
  FakeClock clock;
  FakeSource source(clock);
  Start(source);
  std::promise<grpc::Status> done;
  const GetPcapRequest request = GoodRequest();
  stub_->async()->GetPcap(&context_, &request, &response_,
                          [&](grpc::Status status) { done.set_value(std::move(status)); });
  EXPECT_TRUE(Until([&] { return source.asked() > 0; }));
  server_->Drain(absl::ZeroDuration(), absl::Milliseconds(50), [](absl::Duration most) {
    absl::SleepFor(most);
    return true;
  });
  EXPECT_FALSE(done.get_future().get().ok());
  // The client may hear of the end before the server's queue does.
  EXPECT_TRUE(Until([&] { return source.cancelled(0); }));
}

TEST_F(ServerTest, AHealthWatchDoesNotHoldUpTheDrain) {
  ImmediateSource source;
  Start(source);
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::ClientContext context;
  const auto watch = health->Watch(&context, {});
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  const absl::Time begin = absl::Now();
  server_->Drain(absl::ZeroDuration(), absl::Minutes(10), [](absl::Duration most) {
    absl::SleepFor(most);
    return true;
  });
  // The bound is far from both: it tells "ended" from "waited for the timeout".
  EXPECT_LT(absl::Now() - begin, absl::Minutes(1));
}

// Holds the thread that looks, until it is let go.
class StuckSource final : public Source {
 public:
  std::optional<Reply> AtHand(const Query&) override {
    stuck.Happen();
    EXPECT_TRUE(go_on.Await());
    return HitWith("abc");
  }
  Ticket Ask(Query, Done) override { return {}; }

  Event stuck;
  Event go_on;
};

TEST_F(ServerTest, EachQueueGivesASignAndAStuckOneDoesNot) {
  StuckSource source;
  Start(source);
  std::vector<Event> first(server_->queues());
  ASSERT_FALSE(first.empty());
  for (size_t i = 0; i < first.size(); ++i) server_->AskForSign(i, [&, i] { first[i].Happen(); });
  for (Event& sign : first) EXPECT_TRUE(sign.Await());

  auto call = std::async(std::launch::async, [&] { return Get(); });
  ASSERT_TRUE(source.stuck.Await());
  std::vector<Event> second(first.size());
  for (size_t i = 0; i < second.size(); ++i) {
    server_->AskForSign(i, [&, i] { second[i].Happen(); });
  }
  // All but one do, and that one cannot.
  const auto given = [&] {
    size_t count = 0;
    for (const Event& sign : second) count += sign.HasHappened() ? 1 : 0;
    return count;
  };
  EXPECT_TRUE(Until([&] { return given() + 1 >= second.size(); }));
  EXPECT_EQ(given(), second.size() - 1);
  source.go_on.Happen();
  EXPECT_TRUE(call.get().ok());
  for (Event& sign : second) EXPECT_TRUE(sign.Await());
}

TEST_F(ServerTest, APortThatIsTakenIsAClearError) {
  ImmediateSource source;
  Start(source);
  const auto second = Server::Start(source, {.listen = server_->address()});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), testing::HasSubstr(server_->address()));
}

}  // namespace
}  // namespace pcap_gateway
