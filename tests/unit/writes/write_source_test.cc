#include "service/writes/write_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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
  WriteSourceTest() { Make({}); }

  void Make(WriteOptions options) {
    auto owned = std::make_unique<FakeSource>(clock_);
    below_ = owned.get();
    options.written = [this](const Query& write) { written_.push_back(write.endpoint); };
    source_ = std::make_unique<WriteSource>(std::move(owned), loop_, clock_, std::move(options));
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
  std::vector<const Endpoint*> written_;
  std::unique_ptr<WriteSource> source_;
};

// One that may be repeated.
Query Stop() {
  static const Endpoint stop = [] {
    Endpoint endpoint = WritingEndpoint();
    endpoint.effect = Effect::kWritesAgain;
    return endpoint;
  }();
  Query query = QueryFor(1);
  query.endpoint = &stop;
  return query;
}

TEST_F(WriteSourceTest, WhatMayHaveBeenWrittenIsToldWhoeverIsStillThere) {
  for (Query write : {Stop(), Create("")}) {
    write.requests_sent = nullptr;
    const size_t first = below_->asked();
    written_.clear();
    // Done, left when it was sent and before, refused, broken off, and not a write.
    const auto done = Call(write), left = Call(write), unsent = Call(write), refused = Call(write),
               broken = Call(write), read = Call(QueryFor(1));
    for (const size_t sent : {0u, 1u, 3u, 4u}) Sent(first + sent);
    Answer(first, "stopped");
    EXPECT_THAT(written_, testing::ElementsAre(write.endpoint));
    Leave(*left);
    Leave(*unsent);
    Fail(first + 3, absl::StatusCode::kNotFound, Reason::kPcapNotFound);
    Answer(first + 5, "capture");
    EXPECT_EQ(written_.size(), 1u);
    Fail(first + 4, absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable);
    EXPECT_EQ(written_.size(), 2u);
    EXPECT_FALSE(below_->cancelled(first + 1));
    Answer(first + 1, "stopped");
    EXPECT_EQ(written_.size(), 3u);
  }
}

TEST_F(WriteSourceTest, WhoLeavesOneThatMayBeRepeatedIsNotToldThatItsOutcomeIsUnknown) {
  const auto caller = Call(Stop());
  Sent(0);
  Leave(*caller);
  EXPECT_EQ(caller->told(), "CANCELLED");
}

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

// A memory that says what the test tells it to say, and notes what it was told.
class FakeMemory final : public WriteMemory {
 public:
  void Claim(const NamedWrite& write, Done done) override {
    claims.push_back(write);
    Say(std::move(done));
  }
  void Look(const NamedWrite&, Done done) override {
    ++looks;
    Say(std::move(done));
  }
  void Keep(const NamedWrite&) override { ++keeps; }
  void End(const NamedWrite&, OutcomePtr outcome, absl::AnyInvocable<void(bool) &&> done) override {
    ended.push_back(std::move(outcome));
    std::move(done)(takes);
  }

  // The last word is said again and again.
  std::vector<Known> words = {{Known::Kind::kOurs}};
  bool holds = false;  // says nothing until Release
  bool takes = true;
  std::vector<NamedWrite> claims;
  int looks = 0;
  int keeps = 0;
  std::vector<OutcomePtr> ended;

  void Release() {
    holds = false;
    for (Done& done : std::exchange(held_, {})) Say(std::move(done));
  }

 private:
  void Say(Done done) {
    if (holds) return held_.push_back(std::move(done));
    const Known known = words.front();
    if (words.size() > 1) words.erase(words.begin());
    std::move(done)(known);
  }

  std::vector<Done> held_;
};

class SharedWriteTest : public WriteSourceTest {
 protected:
  using Kind = WriteMemory::Known::Kind;

  SharedWriteTest() {
    Make({.memory = &memory_, .log = [this](const std::string& line) { lines_.push_back(line); }});
  }

  void Advance(absl::Duration by) {
    loop_.Advance(by);
    loop_.RunAll();
  }
  // Until nothing is to be done later; a word comes with each step.
  void AdvanceToTheEnd() {
    for (int i = 0; i < 1000 && !loop_.idle(); ++i) Advance(loop_.next_in());
  }

  FakeMemory memory_;
  std::vector<std::string> lines_;
};

TEST_F(SharedWriteTest, WhatIsClaimedIsSentKeptAndTold) {
  const auto caller = Call(Create("name"));
  ASSERT_EQ(memory_.claims.size(), 1u);
  EXPECT_EQ(memory_.claims[0].name, "name");
  ASSERT_EQ(below_->asked(), 1u);
  Sent(0);
  Advance(3 * kWriteKeepEvery);
  EXPECT_EQ(memory_.keeps, 3);
  Answer(0, "made");
  EXPECT_EQ(caller->told(), "made");
  ASSERT_EQ(memory_.ended.size(), 1u);
  EXPECT_EQ(memory_.ended[0]->message, "made");
  EXPECT_TRUE(loop_.idle());
  // The same content stands for the same thing, and shows nothing of it.
  Call(Create("another", "{}"));
  EXPECT_EQ(memory_.claims[1].content, memory_.claims[0].content);
}

TEST_F(SharedWriteTest, AWriteWithoutANameIsNobodysBusiness) {
  Call(Create(""));
  Answer(0, "made");
  EXPECT_TRUE(memory_.claims.empty());
  EXPECT_TRUE(memory_.ended.empty());
}

TEST_F(SharedWriteTest, AnothersWriteIsWaitedForAndNotSent) {
  memory_.words = {{Kind::kOthers},
                   {Kind::kOthers},
                   {Kind::kLate},
                   {Kind::kOthers},
                   {Kind::kEnded, MakeOutcome(clock_.Now(), "theirs", Stage::kMoving)}};
  const auto one = Call(Create("name")), other = Call(Create("name"));
  AdvanceToTheEnd();
  EXPECT_EQ(one->told(), "theirs");
  EXPECT_EQ(other->told(), "theirs");
  EXPECT_EQ(below_->asked(), 0u);
  EXPECT_EQ(source_->stats().awaited.Value(), 1u);
  // From now on it is known here, too, and no longer than there.
  EXPECT_EQ(Call(Create("name"))->told(), "theirs");
  EXPECT_EQ(memory_.claims.size(), 1u);
}

TEST_F(SharedWriteTest, WhatALostReplicaHadClaimedIsNotSent) {
  memory_.words = {{Kind::kOthers}, {Kind::kLost}};
  const auto caller = Call(Create("name"));
  AdvanceToTheEnd();
  EXPECT_EQ(caller->told(), "OUTCOME_UNKNOWN");
  EXPECT_EQ(below_->asked(), 0u);
  EXPECT_EQ(source_->stats().lost.Value(), 1u);
  EXPECT_EQ(written_.size(), 1u);
}

TEST_F(SharedWriteTest, WhoLeavesAnothersWriteLeavesItsOutcomeUnknown) {
  memory_.words = {{Kind::kOthers}};
  const auto caller = Call(Create("name"));
  Leave(*caller);
  EXPECT_EQ(caller->told(), "OUTCOME_UNKNOWN");
  EXPECT_EQ(written_.size(), 1u);
}

// However long: each replica has a bound of its own.
TEST_F(SharedWriteTest, AMemoryThatFallsSilentWhileAnotherSendsLeavesTheOutcomeUnknown) {
  for (const Kind silence : {Kind::kAway, Kind::kLate}) {
    memory_.words = {{Kind::kOthers}, {silence}};
    const auto caller = Call(Create(absl::StrCat("name", static_cast<int>(silence))));
    AdvanceToTheEnd();
    EXPECT_EQ(caller->told(), "OUTCOME_UNKNOWN");
  }
  EXPECT_EQ(below_->asked(), 0u);
}

TEST_F(SharedWriteTest, WhoStopsWaitingForAnotherReplicaIsToldThatItMayHaveBeenSent) {
  memory_.words = {{Kind::kOthers}};
  const auto caller = Call(Create("name"));
  Leave(*caller);
  EXPECT_EQ(caller->told(), "OUTCOME_UNKNOWN");
  EXPECT_TRUE(loop_.idle());
  EXPECT_TRUE(memory_.ended.empty());
}

TEST_F(SharedWriteTest, WhatAnotherReplicaGivesUpIsSentHere) {
  memory_.words = {{Kind::kOthers}, {Kind::kFree}, {Kind::kOurs}};
  const auto caller = Call(Create("name"));
  AdvanceToTheEnd();
  ASSERT_EQ(below_->asked(), 1u);
  Answer(0, "made");
  EXPECT_EQ(caller->told(), "made");
}

TEST_F(SharedWriteTest, AnotherContentIsRefusedAndNotRemembered) {
  memory_.words = {{Kind::kOtherContent}, {Kind::kOurs}};
  EXPECT_EQ(Call(Create("name"))->told(), "INVALID_REQUEST");
  EXPECT_EQ(below_->asked(), 0u);
  Call(Create("name"));
  EXPECT_EQ(below_->asked(), 1u);
}

TEST_F(SharedWriteTest, WithoutAMemoryItIsRememberedHereAndSaidSo) {
  memory_.words = {{Kind::kAway}};
  memory_.takes = false;
  const auto caller = Call(Create("name"));
  Call(Create("another"));
  ASSERT_EQ(below_->asked(), 2u);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0], testing::HasSubstr("this replica alone"));
  EXPECT_EQ(source_->stats().alone.Value(), 2u);
  Sent(0);
  Answer(0, "made");
  EXPECT_EQ(caller->told(), "made");
  EXPECT_EQ(Call(Create("name"))->told(), "made");
  // And told when it is back.
  EXPECT_EQ(memory_.ended.size(), 1u);
  memory_.takes = true;
  Advance(kWriteKeepEvery);
  ASSERT_EQ(memory_.ended.size(), 2u);
  EXPECT_EQ(memory_.ended[1]->message, "made");
  EXPECT_TRUE(loop_.idle());
}

TEST_F(SharedWriteTest, AMemoryThatIsLateIsAskedAgainBeforeItIsSent) {
  memory_.words = {{Kind::kLate},
                   {Kind::kLate},
                   {Kind::kOthers},
                   {Kind::kEnded, MakeOutcome(clock_.Now(), "theirs", Stage::kMoving)}};
  const auto caller = Call(Create("name"));
  AdvanceToTheEnd();
  EXPECT_EQ(caller->told(), "theirs");
  EXPECT_EQ(below_->asked(), 0u);
  // One that is always late is no better than none.
  memory_.words = {{Kind::kLate}};
  Call(Create("another"));
  AdvanceToTheEnd();
  EXPECT_EQ(below_->asked(), 1u);
  EXPECT_EQ(source_->stats().alone.Value(), 1u);
}

TEST_F(SharedWriteTest, WhatWasNotSentIsGivenBack) {
  const auto caller = Call(Create("name"));
  Fail(0, absl::StatusCode::kResourceExhausted, Reason::kRateLimited);
  EXPECT_EQ(caller->told(), "RATE_LIMITED");
  ASSERT_EQ(memory_.ended.size(), 1u);
  EXPECT_EQ(memory_.ended[0], nullptr);
  // One that Cloudflare refused is told to those who wait.
  Call(Create("name"));
  Sent(1);
  Fail(1, absl::StatusCode::kAborted, Reason::kUpstreamConflict);
  ASSERT_EQ(memory_.ended.size(), 2u);
  EXPECT_EQ(memory_.ended[1]->error->reason, Reason::kUpstreamConflict);
}

TEST_F(SharedWriteTest, WhoLeavesBeforeItIsClaimedGivesItBack) {
  memory_.holds = true;
  const auto caller = Call(Create("name"));
  Leave(*caller);
  EXPECT_EQ(caller->told(), "CANCELLED");
  memory_.Release();
  loop_.RunAll();
  EXPECT_EQ(below_->asked(), 0u);
  ASSERT_EQ(memory_.ended.size(), 1u);
  EXPECT_EQ(memory_.ended[0], nullptr);
}

// The claim is the replica's, and so the second one's by then.
TEST_F(SharedWriteTest, WhoLeavesGivesNothingBackThatWasBegunAnew) {
  memory_.holds = true;
  const auto one = Call(Create("name"));
  Leave(*one);
  const auto other = Call(Create("name"));
  memory_.Release();
  loop_.RunAll();
  EXPECT_EQ(below_->asked(), 1u);
  EXPECT_TRUE(memory_.ended.empty());
  // Neither does one that was still waiting for its turn.
  Leave(*other);
  const auto third = Call(Create("name"));
  EXPECT_EQ(memory_.ended.size(), 1u);  // before the third claimed it
  Sent(1);
  Answer(1, "made");
  EXPECT_EQ(third->told(), "made");
}

}  // namespace
}  // namespace pcap_gateway
