#include "service/writes/write_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_loop.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

struct Caller {
  std::vector<Reply> replies;
  Ticket ticket;

  bool waits() const { return replies.empty(); }
  std::string told() const {
    const Outcome& outcome = *replies.at(0).outcome;
    return outcome.ok() ? outcome.message : std::string(NameOf(outcome.error->reason));
  }
};

class WriteSourceTest : public testing::Test {
 protected:
  WriteSourceTest() {
    auto owned = std::make_unique<FakeSource>(clock_);
    below_ = owned.get();
    source_ = std::make_unique<WriteSource>(std::move(owned), loop_, clock_);
  }

  std::shared_ptr<Caller> Call(Query query) {
    auto caller = std::make_shared<Caller>();
    // Not the caller itself, which holds the ticket of what holds this.
    caller->ticket = source_->Ask(std::move(query), [weak = std::weak_ptr(caller)](Reply reply) {
      if (const auto waits = weak.lock()) waits->replies.push_back(std::move(reply));
    });
    loop_.RunAll();
    return caller;
  }

  static Query Create(const std::string& id, const std::string& body = "{}") {
    Query query = WriteOf(0);
    query.write_id = id;
    query.body = std::make_shared<const std::string>(body);
    query.requests_sent = std::make_shared<std::atomic<int>>(0);
    return query;
  }

  void Leave(Caller& caller) {
    caller.ticket.Cancel();
    loop_.RunAll();
  }
  // As the transport does when the request leaves.
  void Sent(size_t number) { below_->query(number).requests_sent->fetch_add(1); }
  void Answer(size_t number, const std::string& message) {
    below_->Answer(number, message);
    loop_.RunAll();
  }
  void Fail(size_t number, absl::StatusCode code, Reason reason) {
    below_->Fail(number, code, reason, 0);
    loop_.RunAll();
  }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  FakeSource* below_;
  std::unique_ptr<WriteSource> source_;
};

TEST_F(WriteSourceTest, ReadsGoStraightThrough) {
  const auto one = Call(QueryFor(1)), other = Call(QueryFor(1));
  EXPECT_EQ(below_->asked(), 2u);
  one->ticket.Cancel();
  EXPECT_EQ(one->told(), "CANCELLED");
  EXPECT_TRUE(below_->cancelled(0));
}

TEST_F(WriteSourceTest, EachWriteIsSentForItself) {
  const auto one = Call(Create("")), other = Call(Create(""));
  ASSERT_EQ(below_->asked(), 2u);
  Answer(1, "other");
  Answer(0, "one");
  EXPECT_EQ(one->told(), "one");
  EXPECT_EQ(other->told(), "other");
}

// It ends by itself: the caller's deadline is the caller's.
TEST_F(WriteSourceTest, AWriteHasNoDeadline) {
  Query query = Create("");
  query.deadline = clock_.Now() + absl::Seconds(1);
  const auto caller = Call(std::move(query));
  EXPECT_EQ(below_->query(0).deadline, absl::InfiniteFuture());
}

TEST_F(WriteSourceTest, WhatWasSentIsNotTakenBack) {
  const auto caller = Call(Create(""));
  Sent(0);
  Leave(*caller);
  EXPECT_EQ(caller->told(), "OUTCOME_UNKNOWN");
  EXPECT_EQ(caller->replies[0].outcome->error->code, absl::StatusCode::kUnknown);
  EXPECT_FALSE(below_->cancelled(0));
  EXPECT_EQ(source_->stats().abandoned.Value(), 1u);
  Answer(0, "made");
  EXPECT_EQ(caller->replies.size(), 1u);
}

TEST_F(WriteSourceTest, WhatWasNotSentIsGivenUp) {
  const auto caller = Call(Create("name"));
  Leave(*caller);
  EXPECT_EQ(caller->told(), "CANCELLED");
  EXPECT_TRUE(below_->cancelled(0));
  // Nothing was done, so it may be sent.
  const auto again = Call(Create("name"));
  EXPECT_EQ(below_->asked(), 2u);
}

TEST_F(WriteSourceTest, TheSameRequestJoinsWhatIsUnderWay) {
  const auto one = Call(Create("name")), other = Call(Create("name"));
  ASSERT_EQ(below_->asked(), 1u);
  Answer(0, "made");
  EXPECT_EQ(one->told(), "made");
  EXPECT_EQ(other->told(), "made");
  EXPECT_EQ(source_->stats().repeated.Value(), 1u);
}

TEST_F(WriteSourceTest, OneOfTwoMayLeave) {
  const auto one = Call(Create("name")), other = Call(Create("name"));
  Leave(*one);
  EXPECT_EQ(one->told(), "CANCELLED");
  EXPECT_FALSE(below_->cancelled(0));
  Answer(0, "made");
  EXPECT_EQ(other->told(), "made");
}

TEST_F(WriteSourceTest, TheSameRequestGetsTheSameAnswerForTenMinutes) {
  Call(Create("name"));
  Answer(0, "made");
  clock_.Advance(WriteSource::kRemembered - absl::Seconds(1));
  const auto again = Call(Create("name"));
  EXPECT_EQ(again->told(), "made");
  EXPECT_EQ(again->replies[0].age, WriteSource::kRemembered - absl::Seconds(1));
  EXPECT_EQ(below_->asked(), 1u);
  clock_.Advance(absl::Seconds(1));
  Call(Create("name"));
  EXPECT_EQ(below_->asked(), 2u);
}

TEST_F(WriteSourceTest, AnUnknownOutcomeIsNotTriedAgain) {
  Call(Create("name"));
  Fail(0, absl::StatusCode::kUnknown, Reason::kOutcomeUnknown);
  EXPECT_EQ(Call(Create("name"))->told(), "OUTCOME_UNKNOWN");
  EXPECT_EQ(below_->asked(), 1u);
}

TEST_F(WriteSourceTest, WhatChangedNothingMayBeTriedAgain) {
  Call(Create("name"));
  Fail(0, absl::StatusCode::kResourceExhausted, Reason::kRateLimited);
  Call(Create("name"));
  EXPECT_EQ(below_->asked(), 2u);
}

TEST_F(WriteSourceTest, TheSameNameWithAnotherContentIsRefused) {
  const auto first = Call(Create("name", R"({"time_limit": 1})"));
  for (int i = 0; i < 2; ++i) {
    const auto other = Call(Create("name", R"({"time_limit": 2})"));
    EXPECT_EQ(other->told(), "INVALID_REQUEST");
    EXPECT_EQ(other->replies[0].outcome->error->field_violations.at(0).field, "request_id");
    if (i == 0) Answer(0, "made");
  }
  EXPECT_EQ(first->told(), "made");
  EXPECT_EQ(below_->asked(), 1u);
}

TEST_F(WriteSourceTest, ANameIsTheCredentialsAndTheAccounts) {
  Call(Create("name"));
  Answer(0, "made");
  Query query = Create("name");
  query.credential = TestCredential("another");
  Call(query);
  EXPECT_EQ(below_->asked(), 2u);
  query = Create("name");
  query.account = NumberedId(5);
  Call(query);
  EXPECT_EQ(below_->asked(), 3u);
}

}  // namespace
}  // namespace pcap_gateway
