#include "service/shared/shared_writes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "service/base/clock.h"
#include "service/loop/event_loop.h"
#include "tests/support/event.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"
#include "tests/support/redis_server.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = WriteMemory::Known::Kind;

// A gateway, as far as the memory sees it.
struct Replica {
  explicit Replica(const RedisServer& server, const std::string& variant = "redacted")
      : redis(RedisClient::Start(*loop, {.url = *RedisUrlFrom(server.url()),
                                         .command_timeout = absl::Seconds(10),
                                         .reconnect_after = absl::Milliseconds(10)})),
        writes(redis, variant, clock) {
    EXPECT_TRUE(Up());
  }
  ~Replica() { redis->Stop(); }

  bool Up() const {
    return Until([this] { return redis->stats().up.load(); });
  }

  WriteMemory::Known Claim(const NamedWrite& write) {
    return Wait([&](WriteMemory::Done done) { writes.Claim(write, std::move(done)); });
  }
  WriteMemory::Known Look(const NamedWrite& write) {
    return Wait([&](WriteMemory::Done done) { writes.Look(write, std::move(done)); });
  }
  bool End(const NamedWrite& write, const OutcomePtr& outcome) {
    bool took = false;
    Event said;
    loop->Post([&] {
      writes.End(write, outcome, [&](bool it_did) {
        took = it_did;
        said.Happen();
      });
    });
    EXPECT_TRUE(said.Await());
    return took;
  }

  template <typename Ask>
  WriteMemory::Known Wait(Ask ask) {
    WriteMemory::Known known;
    Event said;
    loop->Post([&] {
      ask([&](WriteMemory::Known heard) {
        known = std::move(heard);
        said.Happen();
      });
    });
    EXPECT_TRUE(said.Await());
    return known;
  }

  SteadyWallClock clock;
  std::unique_ptr<EventLoop> loop = *EventLoop::Start();
  std::shared_ptr<RedisClient> redis;
  SharedWrites writes;
};

OutcomePtr Made(const std::string& message = "made") {
  return MakeOutcome(absl::Now(), message, Stage::kMoving);
}

OutcomePtr Failed(absl::StatusCode code, Reason reason) {
  Error error(code, reason, "why it failed");
  error.metadata = {{"limit", "caller"}};
  error.retry_after = absl::Seconds(7);
  error.documentation_url = "https://developers.cloudflare.com/";
  return MakeFailure(absl::Now(), std::move(error), 429);
}

class SharedWritesTest : public testing::Test {
 protected:
  NamedWrite Write(const std::string& name, uint8_t content = 1) const {
    NamedWrite write{
        .credential = credential_, .account = NumberedId(1), .endpoint = 3, .name = name};
    write.content.fill(content);
    return write;
  }
  std::string KeyOfTheOne(absl::string_view pattern) const {
    return std::string(absl::StripAsciiWhitespace(server_.Cli({"KEYS", std::string(pattern)})));
  }

  const std::shared_ptr<const Credential> credential_ = TestCredential();
  RedisServer server_;
  Replica one_{server_};
  Replica two_{server_};
};

TEST_F(SharedWritesTest, OneClaimsAndTheOthersWait) {
  EXPECT_EQ(one_.Claim(Write("a")).kind, Kind::kOurs);
  EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kOthers);
  EXPECT_EQ(two_.Look(Write("a")).kind, Kind::kOthers);
  // Twice is as once: its answer may have been lost.
  EXPECT_EQ(one_.Claim(Write("a")).kind, Kind::kOurs);
  EXPECT_EQ(two_.Claim(Write("b")).kind, Kind::kOurs);
}

TEST_F(SharedWritesTest, HowItEndedIsToldForTenMinutes) {
  one_.Claim(Write("a"));
  EXPECT_TRUE(one_.End(Write("a"), Made()));
  for (Replica* const replica : {&one_, &two_}) {
    const WriteMemory::Known known = replica->Claim(Write("a"));
    ASSERT_EQ(known.kind, Kind::kEnded);
    EXPECT_EQ(known.outcome->message, "made");
    EXPECT_EQ(known.outcome->http_status, 200);
    EXPECT_LE(absl::Now() - known.outcome->as_of, absl::Minutes(1));
  }
  const std::string left = server_.Cli({"PTTL", KeyOfTheOne("*:write")});
  EXPECT_GT(std::stoll(left), 590'000);
  EXPECT_LE(std::stoll(left), 600'000);
}

TEST_F(SharedWritesTest, AnUnknownOutcomeIsRemembered) {
  one_.Claim(Write("a"));
  one_.End(Write("a"), Failed(absl::StatusCode::kUnknown, Reason::kOutcomeUnknown));
  const WriteMemory::Known known = two_.Claim(Write("a"));
  ASSERT_EQ(known.kind, Kind::kEnded);
  const Error& error = *known.outcome->error;
  EXPECT_EQ(error.code, absl::StatusCode::kUnknown);
  EXPECT_EQ(error.reason, Reason::kOutcomeUnknown);
  EXPECT_EQ(error.message, "why it failed");
  EXPECT_EQ(error.metadata.at(0).second, "caller");
  EXPECT_EQ(error.retry_after, absl::Seconds(7));
  EXPECT_EQ(error.documentation_url, "https://developers.cloudflare.com/");
}

TEST_F(SharedWritesTest, ARefusalIsForThoseWhoWaitAndNobodyElse) {
  one_.Claim(Write("a"));
  one_.End(Write("a"), Failed(absl::StatusCode::kResourceExhausted, Reason::kRateLimited));
  const WriteMemory::Known known = two_.Look(Write("a"));
  ASSERT_EQ(known.kind, Kind::kEnded);
  EXPECT_EQ(known.outcome->error->reason, Reason::kRateLimited);
  EXPECT_EQ(two_.Claim(Write("a", 2)).kind, Kind::kOurs);
}

TEST_F(SharedWritesTest, WhatWasNotSentIsFree) {
  one_.Claim(Write("a"));
  EXPECT_TRUE(one_.End(Write("a"), nullptr));
  EXPECT_EQ(two_.Look(Write("a")).kind, Kind::kFree);
  EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kOurs);
  EXPECT_EQ(one_.Look(Write("a")).kind, Kind::kOthers);
}

TEST_F(SharedWritesTest, ANameStandsForOneContent) {
  one_.Claim(Write("a", 1));
  EXPECT_EQ(one_.Claim(Write("a", 2)).kind, Kind::kOtherContent);
  EXPECT_EQ(two_.Claim(Write("a", 2)).kind, Kind::kOtherContent);
  one_.End(Write("a", 1), Made());
  EXPECT_EQ(two_.Claim(Write("a", 2)).kind, Kind::kOtherContent);
}

TEST_F(SharedWritesTest, ANameIsTheCredentialsTheAccountsAndTheEndpoints) {
  one_.Claim(Write("a"));
  NamedWrite other = Write("a");
  other.credential = TestCredential("another");
  EXPECT_EQ(two_.Claim(other).kind, Kind::kOurs);
  other = Write("a");
  other.account = NumberedId(2);
  EXPECT_EQ(two_.Claim(other).kind, Kind::kOurs);
  other = Write("a");
  other.endpoint = 31;
  EXPECT_EQ(two_.Claim(other).kind, Kind::kOurs);
}

// It died over it, or its Redis did.
TEST_F(SharedWritesTest, WhatNobodyKeepsIsLostAndNotClaimedAgain) {
  one_.Claim(Write("a"));
  server_.Cli({"DEL", KeyOfTheOne("*:lease")});
  EXPECT_EQ(two_.Look(Write("a")).kind, Kind::kLost);
  EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kLost);
  // It was only late.
  one_.loop->Run([&] { one_.writes.Keep(Write("a")); });
  EXPECT_EQ(one_.Claim(Write("a")).kind, Kind::kOurs);
  EXPECT_EQ(two_.Look(Write("a")).kind, Kind::kOthers);
}

TEST_F(SharedWritesTest, ARedisThatLostItIsToldAgain) {
  one_.Claim(Write("a"));
  server_.Cli({"FLUSHALL"});
  EXPECT_EQ(two_.Look(Write("a")).kind, Kind::kLost);
  one_.loop->Run([&] { one_.writes.Keep(Write("a")); });
  EXPECT_EQ(one_.Claim(Write("a")).kind, Kind::kOurs);
  EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kOthers);
  server_.Cli({"FLUSHALL"});
  EXPECT_TRUE(one_.End(Write("a"), Made()));
  EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kEnded);
}

TEST_F(SharedWritesTest, WhatAnotherOneHasClaimedMeanwhileStays) {
  one_.Claim(Write("a"));
  server_.Cli({"FLUSHALL"});
  two_.Claim(Write("a"));
  one_.End(Write("a"), Made());
  EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kOurs);
}

TEST_F(SharedWritesTest, AnAnswerIsForGatewaysThatShowTheSame) {
  Replica reveals(server_, "revealed");
  reveals.Claim(Write("a"));
  reveals.End(Write("a"), Made());
  EXPECT_EQ(one_.Claim(Write("a")).kind, Kind::kLost);
  EXPECT_EQ(reveals.Claim(Write("a")).kind, Kind::kEnded);
}

TEST_F(SharedWritesTest, WhatSomebodySpoiltIsLost) {
  one_.Claim(Write("a"));
  one_.End(Write("a"), Made());
  const std::string key = KeyOfTheOne("*:write");
  for (const char* const value : {"D", "Dsomething else", "C0123456789abcdef", "X"}) {
    server_.Cli({"SET", key, value});
    EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kLost) << value;
  }
  EXPECT_EQ(two_.writes.stats().corrupt.Value(), 4u);
  // Of another type: nobody can say what there was.
  server_.Cli({"DEL", key});
  server_.Cli({"LPUSH", key, "x"});
  EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kAway);
}

TEST_F(SharedWritesTest, NeitherNameNorContentStandsThere) {
  NamedWrite write = Write("name-of-the-request");
  write.content.fill('%');
  one_.Claim(write);
  one_.End(write, Made());
  const std::string key = KeyOfTheOne("*:write");
  EXPECT_THAT(key, testing::StartsWith("pcap-gateway:v1:{"));
  EXPECT_THAT(key, Not(HasSubstr("name-of-the-request")));
  EXPECT_THAT(server_.Cli({"GET", key}), Not(HasSubstr("name-of-the-request")));
}

TEST_F(SharedWritesTest, ARedisThatIsGoneIsAway) {
  server_.Kill();
  EXPECT_TRUE(Until([this] { return !one_.redis->stats().up.load(); }));
  EXPECT_EQ(one_.Claim(Write("a")).kind, Kind::kAway);
  EXPECT_FALSE(one_.End(Write("a"), Made()));
  server_.Start();
  EXPECT_TRUE(one_.Up());
  EXPECT_TRUE(one_.End(Write("a"), Made()));
  EXPECT_TRUE(two_.Up());
  EXPECT_EQ(two_.Claim(Write("a")).kind, Kind::kEnded);
}

}  // namespace
}  // namespace pcap_gateway
