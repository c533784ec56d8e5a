#include "service/cache/caching_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using How = CacheStatus::How;

// Without chance, so that tests can name the moment.
constexpr FreshnessPolicy kPolicy{.final_lifetime = absl::Hours(10),
                                  .stale_while_revalidate = absl::Seconds(3),
                                  .stale_if_error = absl::Minutes(10),
                                  .jitter = 0};

// What one caller got; `replies` stays empty while it waits.
struct Caller {
  std::vector<Reply> replies;
  Ticket ticket;

  bool waits() const { return replies.empty(); }
  const Reply& reply() const { return replies.at(0); }
  std::string message() const { return reply().outcome->message; }
  absl::StatusCode code() const {
    return reply().outcome->ok() ? absl::StatusCode::kOk : reply().outcome->error->code;
  }
};

// What a cache behind this one says: `age` old, and fresh for `ttl` more.
Reply HitBehind(const Clock& clock, std::string message, Stage stage, absl::Duration age,
                absl::Duration ttl) {
  return {.outcome = MakeOutcome(clock.Now() - age, std::move(message), stage),
          .cache_status = {.how = How::kHit, .shared = true, .ttl = ttl},
          .age = age};
}

class CachingSourceTest : public testing::Test {
 protected:
  CachingSourceTest() {
    auto upstream = std::make_unique<FakeSource>(clock_);
    upstream_ = upstream.get();
    cache_ = std::make_unique<CachingSource>(
        std::move(upstream), CacheOptions{.most_bytes = 1 << 20, .freshness = kPolicy}, clock_);
  }

  // As rpc does: look first, then ask.
  std::unique_ptr<Caller> Call(Query query) {
    auto caller = std::make_unique<Caller>();
    if (std::optional<Reply> reply = cache_->AtHand(query)) {
      caller->replies.push_back(*std::move(reply));
      return caller;
    }
    Caller* const raw = caller.get();
    caller->ticket = cache_->Ask(std::move(query),
                                 [raw](Reply reply) { raw->replies.push_back(std::move(reply)); });
    return caller;
  }

  FakeClock clock_;
  FakeSource* upstream_;
  std::unique_ptr<CachingSource> cache_;
};

TEST_F(CachingSourceTest, SaysUntilWhenTheLastOfThoseWhoWaitDoes) {
  Query first = QueryFor(1);
  first.deadline = clock_.Now() + absl::Seconds(1);
  const auto one = Call(std::move(first));
  const auto until = upstream_->query(0).latest_deadline;
  ASSERT_NE(until, nullptr);
  EXPECT_EQ(until->Get(), clock_.Now() + absl::Seconds(1));

  Query second = QueryFor(1);
  second.deadline = clock_.Now() + absl::Seconds(3);
  const auto two = Call(std::move(second));
  Query third = QueryFor(1);
  third.deadline = clock_.Now() + absl::Seconds(2);
  const auto three = Call(std::move(third));
  EXPECT_EQ(upstream_->asked(), 1u);
  EXPECT_EQ(until->Get(), clock_.Now() + absl::Seconds(3));
}

TEST_F(CachingSourceTest, AsksOnceAndThenAnswersFromTheStore) {
  const auto first = Call(QueryFor(1));
  EXPECT_TRUE(first->waits());
  upstream_->Answer(0, "capture");
  EXPECT_EQ(first->message(), "capture");
  EXPECT_EQ(first->reply().cache_status.how, How::kUriMiss);
  EXPECT_TRUE(first->reply().cache_status.stored);
  EXPECT_FALSE(first->reply().cache_status.collapsed);

  clock_.Advance(absl::Seconds(3));
  const auto second = Call(QueryFor(1));
  EXPECT_EQ(second->message(), "capture");
  EXPECT_EQ(second->reply().cache_status.how, How::kHit);
  EXPECT_EQ(second->reply().age, absl::Seconds(3));
  EXPECT_EQ(second->reply().cache_status.ttl, kPolicy.final_lifetime - absl::Seconds(3));
  EXPECT_EQ(upstream_->asked(), 1u);
}

TEST_F(CachingSourceTest, AMovingCaptureIsAskedAboutAgainOnceItsLifetimeIsOver) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime + kPolicy.stale_while_revalidate);
  const auto second = Call(QueryFor(1));
  EXPECT_TRUE(second->waits());
  upstream_->Answer(1, "success");
  EXPECT_EQ(second->message(), "success");
  EXPECT_EQ(second->reply().cache_status.how, How::kStale);
}

TEST_F(CachingSourceTest, MaxAgeZeroAsksNow) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "old");
  const auto second = Call(QueryFor(1, absl::ZeroDuration()));
  EXPECT_TRUE(second->waits());
  upstream_->Answer(1, "new");
  EXPECT_EQ(second->message(), "new");
  EXPECT_EQ(second->reply().cache_status.how, How::kRequest);
  EXPECT_EQ(Call(QueryFor(1))->message(), "new");
}

TEST_F(CachingSourceTest, MaxAgeAcceptsWhatIsYoungEnough) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "capture");
  clock_.Advance(absl::Seconds(10));
  EXPECT_FALSE(Call(QueryFor(1, absl::Seconds(10)))->waits());
  EXPECT_TRUE(Call(QueryFor(1, absl::Seconds(9)))->waits());
}

TEST_F(CachingSourceTest, EqualCallsInFlightShareOneRequest) {
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < 200; ++i) callers.push_back(Call(QueryFor(1)));
  EXPECT_EQ(upstream_->asked(), 1u);
  upstream_->Answer(0, "capture");
  for (const auto& caller : callers) EXPECT_EQ(caller->message(), "capture");
  EXPECT_FALSE(callers[0]->reply().cache_status.collapsed);
  EXPECT_TRUE(callers[1]->reply().cache_status.collapsed);
  EXPECT_EQ(cache_->stats().collapsed.Value(), 199u);
}

// Counts on whose account the FakeSource's question `number` would be sent.
void Send(const FakeSource& upstream, size_t number) {
  const auto sent = upstream.query(number).requests_sent;
  if (sent != nullptr) sent->fetch_add(1);
}

TEST_F(CachingSourceTest, ARequestIsSentOnTheAccountOfTheOneWhoCausedIt) {
  std::vector<Query> queries;
  for (int i = 0; i < 4; ++i) {
    queries.push_back(QueryFor(1, i < 2 ? absl::InfiniteDuration() : absl::ZeroDuration()));
    queries.back().requests_sent = std::make_shared<std::atomic<int>>(0);
  }
  std::vector<std::unique_ptr<Caller>> callers;
  for (const Query& query : queries) callers.push_back(Call(query));
  Send(*upstream_, 0);
  Send(*upstream_, 0);  // a retry
  upstream_->Answer(0, "moving", Stage::kMoving);
  // The last two insisted on a request of their own, and share that.
  Send(*upstream_, 1);
  upstream_->Answer(1, "moving", Stage::kMoving);
  const std::vector<int> sent = {queries[0].requests_sent->load(), queries[1].requests_sent->load(),
                                 queries[2].requests_sent->load(),
                                 queries[3].requests_sent->load()};
  EXPECT_THAT(sent, testing::ElementsAre(2, 0, 1, 0));
}

TEST_F(CachingSourceTest, ARefreshIsSentOnNobodysAccountAndItsRetryOnThatOfWhoJoinsIt) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "moving", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime + absl::Seconds(1));
  Query query = QueryFor(1);
  query.requests_sent = std::make_shared<std::atomic<int>>(0);
  EXPECT_FALSE(Call(query)->waits());
  ASSERT_EQ(upstream_->asked(), 2u);
  Send(*upstream_, 1);
  Query strict = QueryFor(1, absl::Seconds(1));
  strict.requests_sent = std::make_shared<std::atomic<int>>(0);
  const auto joiner = Call(strict);
  Send(*upstream_, 1);
  upstream_->Answer(1, "moving", Stage::kMoving);
  EXPECT_FALSE(joiner->waits());
  EXPECT_EQ(query.requests_sent->load(), 0);
  EXPECT_EQ(strict.requests_sent->load(), 1);
}

TEST_F(CachingSourceTest, WhoLeavesHasBeenToldOfWhatWasSentForItAndTheNextOneOfTheRest) {
  Query queries[] = {QueryFor(1), QueryFor(1)};
  for (Query& query : queries) query.requests_sent = std::make_shared<std::atomic<int>>(0);
  const auto first = Call(queries[0]);
  const auto second = Call(queries[1]);
  Send(*upstream_, 0);
  first->ticket.Cancel();
  EXPECT_EQ(queries[0].requests_sent->load(), 1);
  Send(*upstream_, 0);
  upstream_->Answer(0, "capture");
  EXPECT_EQ(queries[0].requests_sent->load(), 1);
  EXPECT_EQ(queries[1].requests_sent->load(), 1);
}

TEST_F(CachingSourceTest, DifferentCallsDoNotShare) {
  const auto one = Call(QueryFor(1));
  const auto two = Call(QueryFor(2));
  Query stranger = QueryFor(1);
  stranger.credential = TestCredential("somebody-elses-token");
  const auto three = Call(stranger);
  EXPECT_EQ(upstream_->asked(), 3u);
  upstream_->Answer(0, "one");
  EXPECT_TRUE(two->waits());
  EXPECT_TRUE(three->waits());
  EXPECT_TRUE(Call(stranger)->waits());
}

TEST_F(CachingSourceTest, TheFirstCallersLeavingDoesNotConcernTheOthers) {
  const auto first = Call(QueryFor(1));
  const auto second = Call(QueryFor(1));
  first->ticket.Cancel();
  EXPECT_EQ(first->code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(upstream_->cancelled(0));
  upstream_->Answer(0, "capture");
  EXPECT_EQ(second->message(), "capture");
  EXPECT_EQ(first->replies.size(), 1u);
}

// It has been paid for: who asks again gets the answer that the first ones did not wait for.
TEST_F(CachingSourceTest, ARequestThatAllHaveLeftEndsByItselfAndItsAnswerIsKept) {
  const auto first = Call(QueryFor(1));
  const auto second = Call(QueryFor(1));
  first->ticket.Cancel();
  second->ticket.Cancel();
  EXPECT_EQ(second->code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(upstream_->cancelled(0));
  upstream_->Answer(0, "capture");
  const auto third = Call(QueryFor(1));
  EXPECT_EQ(third->message(), "capture");
  EXPECT_EQ(third->reply().cache_status.how, How::kHit);
  EXPECT_EQ(upstream_->asked(), 1u);
}

TEST_F(CachingSourceTest, WhoComesJoinsARequestThatAllHaveLeftWhereItsAgeAllows) {
  const auto first = Call(QueryFor(1));
  first->ticket.Cancel();
  clock_.Advance(absl::Seconds(1));
  const auto tolerant = Call(QueryFor(1));
  const auto strict = Call(QueryFor(1, absl::Milliseconds(999)));
  EXPECT_EQ(upstream_->asked(), 1u);
  upstream_->Answer(0, "capture");
  EXPECT_EQ(tolerant->message(), "capture");
  EXPECT_TRUE(tolerant->reply().cache_status.collapsed);
  EXPECT_TRUE(strict->waits());
  ASSERT_EQ(upstream_->asked(), 2u);
  upstream_->Answer(1, "newer");
  EXPECT_EQ(strict->message(), "newer");
  EXPECT_FALSE(strict->reply().cache_status.collapsed);
}

TEST_F(CachingSourceTest, CallersThatAreLessPatientThanTheUpstreamCostOneRequest) {
  for (int i = 0; i < 10; ++i) {
    const auto caller = Call(QueryFor(1));
    clock_.Advance(absl::Seconds(1));
    if (i == 1) upstream_->Answer(0, "capture");
    caller->ticket.Cancel();
    EXPECT_EQ(caller->code(), i == 0 ? absl::StatusCode::kCancelled : absl::StatusCode::kOk);
  }
  EXPECT_EQ(upstream_->asked(), 1u);
}

TEST_F(CachingSourceTest, WhatAllHaveLeftIsAbandonedUntilSomebodyComes) {
  const auto first = Call(QueryFor(1));
  EXPECT_FALSE(upstream_->query(0).is_abandoned());
  const auto second = Call(QueryFor(1));
  first->ticket.Cancel();
  EXPECT_FALSE(upstream_->query(0).is_abandoned());
  second->ticket.Cancel();
  EXPECT_TRUE(upstream_->query(0).is_abandoned());
  const auto third = Call(QueryFor(1));
  EXPECT_FALSE(upstream_->query(0).is_abandoned());
  upstream_->Answer(0, "capture");
  EXPECT_EQ(third->message(), "capture");
}

TEST_F(CachingSourceTest, WhatWasGivenUpAsNobodyWaitedIsAskedAnewForWhoCameJustThen) {
  const auto first = Call(QueryFor(1));
  first->ticket.Cancel();
  const auto late = Call(QueryFor(1));
  upstream_->GiveUp(0);
  EXPECT_TRUE(late->waits());
  ASSERT_EQ(upstream_->asked(), 2u);
  EXPECT_FALSE(upstream_->query(1).is_abandoned());
  upstream_->Answer(1, "capture");
  EXPECT_EQ(late->message(), "capture");
}

TEST_F(CachingSourceTest, WhatWasGivenUpIsNotAskedAnewForNobodyNorForWhoseDeadlineIsOver) {
  const auto first = Call(QueryFor(1));
  first->ticket.Cancel();
  upstream_->GiveUp(0);
  EXPECT_EQ(upstream_->asked(), 1u);
  Query query = QueryFor(2);
  query.deadline = clock_.Now() + absl::Seconds(1);
  const auto late = Call(query);
  clock_.Advance(absl::Seconds(1));
  upstream_->GiveUp(1);
  EXPECT_EQ(late->code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(upstream_->asked(), 2u);
}

TEST_F(CachingSourceTest, ARefreshIsACallForAsLongAsSomebodyWaitsForIt) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime);
  EXPECT_FALSE(Call(QueryFor(1))->waits());
  ASSERT_EQ(upstream_->asked(), 2u);
  const Query refresh = upstream_->query(1);
  EXPECT_TRUE(refresh.background);
  ASSERT_NE(refresh.latest_deadline, nullptr);
  EXPECT_EQ(refresh.latest_deadline->Get(), absl::InfinitePast());
  EXPECT_FALSE(refresh.is_abandoned());

  Query query = QueryFor(1, absl::Seconds(1));
  query.deadline = clock_.Now() + absl::Seconds(9);
  const auto joiner = Call(query);
  EXPECT_TRUE(joiner->waits());
  EXPECT_EQ(refresh.latest_deadline->Get(), clock_.Now() + absl::Seconds(9));
  joiner->ticket.Cancel();
  EXPECT_EQ(refresh.latest_deadline->Get(), absl::InfinitePast());
  EXPECT_FALSE(refresh.is_abandoned());
}

TEST_F(CachingSourceTest, CancellingAfterTheAnswerChangesNothing) {
  const auto caller = Call(QueryFor(1));
  upstream_->Answer(0, "capture");
  caller->ticket.Cancel();
  EXPECT_EQ(caller->replies.size(), 1u);
}

TEST_F(CachingSourceTest, AFailureGoesToAllWhoWaitAndToNobodyAfter) {
  const auto first = Call(QueryFor(1));
  const auto second = Call(QueryFor(1));
  upstream_->Fail(0, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(first->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second->code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(first->reply().cache_status.stored);
  EXPECT_TRUE(Call(QueryFor(1))->waits());
  EXPECT_EQ(upstream_->asked(), 2u);
}

TEST_F(CachingSourceTest, NotFoundIsKeptBriefly) {
  const auto first = Call(QueryFor(1));
  upstream_->Fail(0, absl::StatusCode::kNotFound, Reason::kPcapNotFound, 404);
  const auto second = Call(QueryFor(1));
  EXPECT_EQ(second->code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(second->reply().cache_status.how, How::kHit);
  clock_.Advance(kPolicy.not_found_lifetime);
  EXPECT_TRUE(Call(QueryFor(1))->waits());
}

// A caller who accepts nothing older than its own call cannot take the answer to an earlier one.
TEST_F(CachingSourceTest, WhoInsistsOnAskingNowWaitsForTheNextRequest) {
  const auto first = Call(QueryFor(1));
  clock_.Advance(absl::Milliseconds(1));
  std::vector<std::unique_ptr<Caller>> insistent;
  for (int i = 0; i < 50; ++i) insistent.push_back(Call(QueryFor(1, absl::ZeroDuration())));
  EXPECT_EQ(upstream_->asked(), 1u);
  upstream_->Answer(0, "old");
  EXPECT_EQ(first->message(), "old");
  for (const auto& caller : insistent) EXPECT_TRUE(caller->waits());
  EXPECT_EQ(upstream_->asked(), 2u);
  upstream_->Answer(1, "new");
  for (const auto& caller : insistent) EXPECT_EQ(caller->message(), "new");
  EXPECT_EQ(upstream_->asked(), 2u);
}

TEST_F(CachingSourceTest, WhoAcceptsTheAgeOfTheRequestUnderWayJoinsIt) {
  const auto first = Call(QueryFor(1));
  clock_.Advance(absl::Seconds(1));
  const auto tolerant = Call(QueryFor(1, absl::Seconds(1)));
  const auto strict = Call(QueryFor(1, absl::Milliseconds(999)));
  upstream_->Answer(0, "capture");
  EXPECT_FALSE(tolerant->waits());
  EXPECT_TRUE(strict->waits());
}

// One after the other, whoever waits.
TEST_F(CachingSourceTest, TheNextRequestStartsOnceTheOneUnderWayHasEndedThoughAllHaveLeftThat) {
  const auto first = Call(QueryFor(1));
  const auto insistent = Call(QueryFor(1, absl::ZeroDuration()));
  first->ticket.Cancel();
  EXPECT_EQ(upstream_->asked(), 1u);
  upstream_->Answer(0, "old");
  ASSERT_EQ(upstream_->asked(), 2u);
  upstream_->Answer(1, "new");
  EXPECT_EQ(insistent->message(), "new");
}

TEST_F(CachingSourceTest, TheNextRequestDoesNotStartWhenNobodyWaitsForItAnyMore) {
  const auto first = Call(QueryFor(1));
  const auto insistent = Call(QueryFor(1, absl::ZeroDuration()));
  insistent->ticket.Cancel();
  EXPECT_EQ(insistent->code(), absl::StatusCode::kCancelled);
  upstream_->Answer(0, "capture");
  EXPECT_EQ(first->message(), "capture");
  EXPECT_EQ(upstream_->asked(), 1u);
}

TEST_F(CachingSourceTest, TheRequestUpstreamHasNobodysDeadline) {
  Query query = QueryFor(1);
  query.deadline = clock_.Now() + absl::Seconds(1);
  const auto caller = Call(query);
  EXPECT_EQ(upstream_->query(0).deadline, absl::InfiniteFuture());
  upstream_->Answer(0, "capture");
}

constexpr absl::Duration kHalfSecond = absl::Milliseconds(500);

TEST_F(CachingSourceTest, AStaleAnswerIsGivenWhileItIsRefreshedOnce) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime + kHalfSecond);
  for (int i = 0; i < 100; ++i) {
    const auto caller = Call(QueryFor(1));
    EXPECT_EQ(caller->message(), "running");
    EXPECT_EQ(caller->reply().cache_status.how, How::kHit);
    EXPECT_EQ(caller->reply().cache_status.ttl, -kHalfSecond);
  }
  ASSERT_EQ(upstream_->asked(), 2u);
  EXPECT_TRUE(upstream_->query(1).background);
  EXPECT_EQ(cache_->stats().revalidating.Value(), 100u);
  EXPECT_EQ(cache_->stats().refreshes.Value(), 1u);
  upstream_->Answer(1, "success");
  EXPECT_EQ(Call(QueryFor(1))->message(), "success");
}

TEST_F(CachingSourceTest, NobodyIsGivenAStaleAnswerThatIsOlderThanItsMaxAge) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime + kHalfSecond);
  EXPECT_FALSE(Call(QueryFor(1, kPolicy.moving_lifetime + kHalfSecond))->waits());
  EXPECT_TRUE(Call(QueryFor(1, kPolicy.moving_lifetime))->waits());
}

TEST_F(CachingSourceTest, ARefreshThatFailsIsTriedAgainOnceASecondAndNotByEveryHit) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime);
  for (int second = 0; second < 3; ++second) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(Call(QueryFor(1))->message(), "running");
      for (size_t asked = upstream_->asked(); asked > 1;) {
        upstream_->Fail(--asked, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
      }
      clock_.Advance(absl::Milliseconds(100));
    }
  }
  EXPECT_EQ(upstream_->asked(), 1u + 3u);
}

TEST_F(CachingSourceTest, NobodyEndsARefreshByLeavingIt) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime);
  const auto stale = Call(QueryFor(1));
  const auto strict = Call(QueryFor(1, absl::Seconds(1)));
  EXPECT_TRUE(strict->waits());
  EXPECT_EQ(upstream_->asked(), 2u);
  strict->ticket.Cancel();
  EXPECT_FALSE(upstream_->cancelled(1));
  upstream_->Answer(1, "success");
  EXPECT_EQ(Call(QueryFor(1))->message(), "success");
}

TEST_F(CachingSourceTest, AFinalCaptureThatIsStillAskedForIsRefreshedBeforeItDies) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "capture");
  clock_.Advance(kPolicy.final_lifetime * 0.8);
  EXPECT_EQ(Call(QueryFor(1))->message(), "capture");
  EXPECT_EQ(upstream_->asked(), 1u);
  clock_.Advance(kPolicy.final_lifetime * 0.15);
  EXPECT_EQ(Call(QueryFor(1))->message(), "capture");
  ASSERT_EQ(upstream_->asked(), 2u);
  upstream_->Answer(1, "capture");
  clock_.Advance(kPolicy.final_lifetime * 0.5);
  EXPECT_EQ(Call(QueryFor(1))->reply().cache_status.how, How::kHit);
  EXPECT_EQ(upstream_->asked(), 2u);
}

TEST_F(CachingSourceTest, AFailureUpstreamIsCoveredUpWithAStaleAnswer) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(absl::Minutes(5));
  const auto second = Call(QueryFor(1));
  const auto strict = Call(QueryFor(1, absl::Minutes(4)));
  upstream_->Fail(1, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(second->message(), "running");
  EXPECT_EQ(second->reply().age, absl::Minutes(5));
  const CacheStatus& status = second->reply().cache_status;
  EXPECT_EQ(status.how, How::kStale);
  EXPECT_TRUE(status.stale_if_error);
  EXPECT_EQ(status.forward_status, 503);
  EXPECT_EQ(status.ttl, kPolicy.moving_lifetime - absl::Minutes(5));
  EXPECT_EQ(strict->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(cache_->stats().stale_if_error.Value(), 1u);
}

TEST_F(CachingSourceTest, AnAnswerThatIsAnErrorIsNotCoveredUp) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(absl::Minutes(5));
  const auto second = Call(QueryFor(1));
  upstream_->Fail(1, absl::StatusCode::kResourceExhausted, Reason::kRateLimited, 429);
  EXPECT_EQ(second->code(), absl::StatusCode::kResourceExhausted);
  const auto third = Call(QueryFor(1));
  upstream_->Fail(2, absl::StatusCode::kNotFound, Reason::kPcapNotFound, 404);
  EXPECT_EQ(third->code(), absl::StatusCode::kNotFound);
}

TEST_F(CachingSourceTest, AStaleAnswerIsNotGivenForEver) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime + kPolicy.stale_if_error);
  const auto second = Call(QueryFor(1));
  upstream_->Fail(1, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(second->code(), absl::StatusCode::kUnavailable);
}

TEST_F(CachingSourceTest, WhoLeavesGetsAStaleAnswerIfThereIsOne) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "running", Stage::kMoving);
  clock_.Advance(absl::Minutes(5));
  const auto second = Call(QueryFor(1));
  EXPECT_TRUE(second->waits());
  second->ticket.Cancel();
  EXPECT_EQ(second->message(), "running");
  EXPECT_TRUE(second->reply().cache_status.stale_if_error);
  upstream_->Answer(1, "success");
  EXPECT_EQ(Call(QueryFor(1))->message(), "success");
}

class CachingSourceDenialTest : public CachingSourceTest {
 protected:
  static Query InAccount(int account, int resource,
                         absl::Duration max_age = absl::InfiniteDuration()) {
    Query query = QueryFor(resource, max_age);
    query.account = NumberedId(account);
    return query;
  }

  // Kept from now on.
  void Bring(Query query, const std::string& message, Stage stage = Stage::kFinal) {
    const size_t number = upstream_->asked();
    query.max_age = absl::ZeroDuration();
    const auto caller = Call(std::move(query));
    ASSERT_EQ(upstream_->asked(), number + 1);
    upstream_->Answer(number, message, stage);
  }

  // A tick later Cloudflare denies it to the credential; another tick, and the next call comes.
  void Refuse(Query query, Denies denies, int http_status = 401) {
    clock_.Advance(absl::Milliseconds(1));
    const size_t number = upstream_->asked();
    query.max_age = absl::ZeroDuration();
    const auto caller = Call(std::move(query));
    ASSERT_EQ(upstream_->asked(), number + 1);
    const bool account = denies == Denies::kAccount;
    upstream_->Fail(
        number, absl::StatusCode::kInternal,
        account ? Reason::kUpstreamPermissionDenied : Reason::kUpstreamCredentialsRejected,
        http_status, denies);
    EXPECT_EQ(caller->code(), absl::StatusCode::kInternal);
    clock_.Advance(absl::Milliseconds(1));
  }
};

TEST_F(CachingSourceDenialTest, ACredentialThatIsRejectedIsGivenNothingThatWasKeptForIt) {
  for (int capture = 1; capture <= 3; ++capture) Bring(InAccount(1, capture), "capture");
  Bring(InAccount(2, 4), "of another account");
  Query stranger = InAccount(1, 1);
  stranger.credential = TestCredential("somebody-elses-token");
  Bring(stranger, "a stranger's");
  Refuse(InAccount(1, 9), Denies::kEverything);
  for (int capture = 1; capture <= 3; ++capture) {
    EXPECT_FALSE(cache_->AtHand(InAccount(1, capture)).has_value()) << capture;
    EXPECT_TRUE(Call(InAccount(1, capture))->waits()) << capture;
  }
  EXPECT_FALSE(cache_->AtHand(InAccount(2, 4)).has_value());
  EXPECT_EQ(Call(stranger)->message(), "a stranger's");
}

TEST_F(CachingSourceDenialTest, AnAccountThatIsDeniedTakesAllThatWasKeptOfItAndNothingElse) {
  Bring(InAccount(1, 1), "capture");
  Bring(InAccount(2, 2), "of another account");
  Refuse(InAccount(1, 9), Denies::kAccount, 403);
  EXPECT_FALSE(cache_->AtHand(InAccount(1, 1)).has_value());
  EXPECT_EQ(Call(InAccount(2, 2))->message(), "of another account");
}

TEST_F(CachingSourceDenialTest, WhatIsVoidIsNotGivenStaleEither) {
  Bring(InAccount(1, 1), "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime);
  Refuse(InAccount(1, 9), Denies::kEverything);
  // While it is refreshed,
  const auto caller = Call(InAccount(1, 1));
  EXPECT_TRUE(caller->waits());
  // instead of a failure,
  const size_t number = upstream_->asked() - 1;
  upstream_->Fail(number, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(caller->code(), absl::StatusCode::kUnavailable);
  // or at a deadline.
  const auto leaver = Call(InAccount(1, 1));
  leaver->ticket.Cancel();
  EXPECT_EQ(leaver->code(), absl::StatusCode::kCancelled);
}

// It comes with 200, which else calls for a stale answer.
TEST_F(CachingSourceDenialTest, ARejectionInA200IsOneToo) {
  Bring(InAccount(1, 1), "running", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime + kPolicy.stale_while_revalidate);
  const auto caller = Call(InAccount(1, 1));
  clock_.Advance(absl::Milliseconds(1));
  upstream_->Fail(1, absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected, 200,
                  Denies::kEverything);
  EXPECT_EQ(caller->code(), absl::StatusCode::kInternal);
}

TEST_F(CachingSourceDenialTest, ACredentialThatWorksAgainWorksAtOnce) {
  Bring(InAccount(1, 1), "before");
  Refuse(InAccount(1, 9), Denies::kEverything);
  Bring(InAccount(1, 1), "after");
  EXPECT_EQ(Call(InAccount(1, 1))->message(), "after");
  EXPECT_EQ(Call(InAccount(1, 1))->reply().cache_status.how, How::kHit);
}

TEST_F(CachingSourceDenialTest, WhatWasFinalBeforeItMayMoveAfterIt) {
  Bring(InAccount(1, 1), "success");
  Refuse(InAccount(1, 9), Denies::kEverything);
  Bring(InAccount(1, 1), "running", Stage::kMoving);
  EXPECT_EQ(Call(InAccount(1, 1))->message(), "running");
}

TEST_F(CachingSourceDenialTest, AnAnswerAskedForBeforeItGoesToWhoWaitedAndIsNotKept) {
  const auto early = Call(InAccount(1, 1));
  Refuse(InAccount(1, 9), Denies::kEverything);
  const auto late = Call(InAccount(1, 1));
  upstream_->Answer(0, "asked for before");
  EXPECT_EQ(early->message(), "asked for before");
  EXPECT_FALSE(early->reply().cache_status.stored);
  EXPECT_TRUE(late->waits());
  upstream_->Answer(2, "asked for after");
  EXPECT_EQ(late->message(), "asked for after");
}

TEST_F(CachingSourceDenialTest, NothingFromBeforeItIsTakenFromACacheBehindThisOne) {
  Bring(InAccount(1, 1), "capture");
  Refuse(InAccount(1, 9), Denies::kEverything);
  clock_.Advance(absl::Seconds(5));
  Query only_cached = InAccount(1, 1);
  only_cached.only_if_cached = true;
  const auto looker = Call(only_cached);
  EXPECT_LT(upstream_->query(2).max_age, absl::Seconds(6));
  upstream_->Fail(2, absl::StatusCode::kFailedPrecondition, Reason::kNotCached, 0);
  const auto caller = Call(InAccount(1, 1));
  EXPECT_LT(upstream_->query(3).max_age, absl::Seconds(6));
  // It did not keep to that.
  upstream_->AnswerWith(
      3, HitBehind(clock_, "void", Stage::kFinal, absl::Seconds(30), absl::Hours(1)));
  EXPECT_TRUE(caller->waits());
  ASSERT_EQ(upstream_->asked(), 5u);
  upstream_->AnswerWith(
      4, HitBehind(clock_, "young", Stage::kFinal, absl::Seconds(1), absl::Hours(1)));
  EXPECT_EQ(caller->message(), "young");
}

TEST_F(CachingSourceDenialTest, ADenialThatAnotherReplicaHasHeardOfCountsHereToo) {
  Bring(InAccount(1, 1), "capture");
  Bring(InAccount(2, 2), "of another account");
  clock_.Advance(absl::Seconds(5));
  const auto caller = Call(InAccount(1, 3));
  Reply hit = HitBehind(clock_, "shared", Stage::kFinal, absl::Seconds(1), absl::Hours(1));
  hit.denied.account = clock_.Now() - absl::Seconds(2);
  upstream_->AnswerWith(2, hit);
  EXPECT_EQ(caller->message(), "shared");
  EXPECT_FALSE(cache_->AtHand(InAccount(1, 1)).has_value());
  EXPECT_EQ(Call(InAccount(2, 2))->message(), "of another account");

  const auto another = Call(InAccount(1, 4));
  hit.denied.everything = clock_.Now() - absl::Seconds(2);
  upstream_->AnswerWith(3, hit);
  EXPECT_FALSE(cache_->AtHand(InAccount(2, 2)).has_value());
}

TEST_F(CachingSourceTest, AFinalCaptureNeverMovesAgain) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "success");
  clock_.Advance(absl::Minutes(1));
  const auto insistent = Call(QueryFor(1, absl::ZeroDuration()));
  upstream_->Answer(1, "running", Stage::kMoving);
  EXPECT_EQ(insistent->message(), "success");
  // Cloudflare has confirmed it just now.
  EXPECT_EQ(insistent->reply().age, absl::ZeroDuration());
  EXPECT_EQ(insistent->reply().outcome->stage, Stage::kFinal);
  EXPECT_EQ(Call(QueryFor(1))->message(), "success");
  EXPECT_EQ(cache_->stats().confirmed.Value(), 1u);

  // Not by a refresh either, nor after its lifetime.
  clock_.Advance(kPolicy.final_lifetime * 0.95);
  EXPECT_EQ(Call(QueryFor(1))->message(), "success");
  ASSERT_EQ(upstream_->asked(), 3u);
  upstream_->Answer(2, "running", Stage::kMoving);
  EXPECT_EQ(Call(QueryFor(1))->message(), "success");
  clock_.Advance(kPolicy.final_lifetime * 2);
  const auto late = Call(QueryFor(1));
  upstream_->Answer(3, "running", Stage::kMoving);
  EXPECT_EQ(late->message(), "success");
}

TEST_F(CachingSourceTest, NotFoundDoesNotMakeItForgetAFinalCapture) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "success");
  const auto insistent = Call(QueryFor(1, absl::ZeroDuration()));
  upstream_->Fail(1, absl::StatusCode::kNotFound, Reason::kPcapNotFound, 404);
  EXPECT_EQ(insistent->code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Call(QueryFor(1))->message(), "success");
  const auto another = Call(QueryFor(1, absl::ZeroDuration()));
  upstream_->Answer(2, "running", Stage::kMoving);
  EXPECT_EQ(another->message(), "success");
}

TEST_F(CachingSourceTest, OnlyIfCachedAnswersFromTheStoreAndStartsNothing) {
  Query query = QueryFor(1);
  query.only_if_cached = true;
  const auto nothing = Call(query);
  ASSERT_EQ(upstream_->asked(), 1u);
  EXPECT_TRUE(upstream_->query(0).only_if_cached);  // whom it is handed on to knows what to do
  upstream_->Fail(0, absl::StatusCode::kFailedPrecondition, Reason::kNotCached, 0);
  EXPECT_EQ(nothing->code(), absl::StatusCode::kFailedPrecondition);

  const auto first = Call(QueryFor(1));
  upstream_->Answer(1, "running", Stage::kMoving);
  EXPECT_EQ(Call(query)->message(), "running");
  clock_.Advance(kPolicy.moving_lifetime);
  EXPECT_EQ(Call(query)->message(), "running");
  EXPECT_EQ(upstream_->asked(), 2u);  // stale, and not refreshed for this caller
  // Whose look leaves the refresh to the next one.
  EXPECT_EQ(Call(QueryFor(1))->message(), "running");
  ASSERT_EQ(upstream_->asked(), 3u);
  EXPECT_TRUE(upstream_->query(2).background);
}

TEST_F(CachingSourceTest, WhoFindsAnAnswerTooOldLeavesItsRefreshToOthers) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "capture");
  clock_.Advance(kPolicy.final_lifetime * 0.95);
  EXPECT_FALSE(cache_->AtHand(QueryFor(1, absl::ZeroDuration())).has_value());  // and asks nobody
  EXPECT_EQ(upstream_->asked(), 1u);
  EXPECT_EQ(Call(QueryFor(1))->message(), "capture");
  EXPECT_EQ(upstream_->asked(), 2u);
}

// What another replica had asked for can be older than the request for it.
TEST_F(CachingSourceTest, ASharedAnswerGoesOnlyToThoseItIsYoungEnoughFor) {
  const auto tolerant = Call(QueryFor(1));
  const auto strict = Call(QueryFor(1, absl::Seconds(10)));
  ASSERT_EQ(upstream_->asked(), 1u);
  upstream_->AnswerWith(
      0, HitBehind(clock_, "shared", Stage::kFinal, absl::Seconds(30), absl::Hours(1)));
  EXPECT_EQ(tolerant->message(), "shared");
  EXPECT_EQ(tolerant->reply().cache_status.how, How::kHit);
  EXPECT_TRUE(tolerant->reply().cache_status.shared);
  EXPECT_EQ(tolerant->reply().age, absl::Seconds(30));
  EXPECT_TRUE(strict->waits());
  ASSERT_EQ(upstream_->asked(), 2u);
  EXPECT_EQ(upstream_->query(1).max_age, absl::Seconds(10));
  upstream_->Answer(1, "asked");
  EXPECT_EQ(strict->message(), "asked");
}

TEST_F(CachingSourceTest, TheNextRequestIsAsStrictAsTheStrictestWhoWaitsForIt) {
  const auto first = Call(QueryFor(1));
  clock_.Advance(absl::Seconds(20));
  const auto two = Call(QueryFor(1, absl::Seconds(10)));
  const auto three = Call(QueryFor(1, absl::Seconds(5)));
  const auto four = Call(QueryFor(1, absl::Seconds(7)));
  upstream_->Answer(0, "first");
  ASSERT_EQ(upstream_->asked(), 2u);
  EXPECT_EQ(upstream_->query(1).max_age, absl::Seconds(5));
  upstream_->Answer(1, "second");
  EXPECT_EQ(four->message(), "second");
}

TEST_F(CachingSourceTest, AnEntryLargerThanTheCacheIsAnsweredAndNotStored) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, std::string(2 << 20, 'x'));
  EXPECT_EQ(first->message().size(), 2u << 20);
  EXPECT_FALSE(first->reply().cache_status.stored);
  EXPECT_EQ(first->reply().cache_status.ttl, std::nullopt);
  EXPECT_TRUE(Call(QueryFor(1))->waits());
}

TEST_F(CachingSourceTest, AClockThatJumpsBackMakesNothingOlderThanZero) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "capture");
  clock_.Advance(-absl::Hours(5));
  const auto second = Call(QueryFor(1, absl::Seconds(1)));
  EXPECT_EQ(second->message(), "capture");
  EXPECT_EQ(second->reply().age, absl::ZeroDuration());
  clock_.Advance(absl::Hours(24 * 365));
  const auto third = Call(QueryFor(1));
  EXPECT_TRUE(third->waits());
  upstream_->Answer(1, "capture");
}

TEST_F(CachingSourceTest, EntriesThatCameTogetherDoNotExpireTogether) {
  FreshnessPolicy policy = kPolicy;
  policy.jitter = 0.1;
  auto upstream = std::make_unique<FakeSource>(clock_);
  upstream_ = upstream.get();
  cache_ = std::make_unique<CachingSource>(
      std::move(upstream), CacheOptions{.most_bytes = 1 << 20, .freshness = policy}, clock_);
  std::set<absl::Duration> lifetimes;
  for (int i = 0; i < 100; ++i) {
    const auto caller = Call(QueryFor(i));
    upstream_->Answer(i, "capture");
    lifetimes.insert(*caller->reply().cache_status.ttl);
  }
  EXPECT_GT(lifetimes.size(), 50u);
  EXPECT_LE(*lifetimes.rbegin(), policy.final_lifetime);
  EXPECT_GE(*lifetimes.begin(), policy.final_lifetime * 0.9);
}

TEST_F(CachingSourceTest, AHitBehindThisCacheIsFreshForAsLongAsThatSays) {
  const auto caller = Call(QueryFor(1));
  upstream_->AnswerWith(
      0, HitBehind(clock_, "shared", Stage::kFinal, absl::Hours(2), absl::Minutes(3)));
  EXPECT_EQ(caller->reply().cache_status.how, How::kHit);
  EXPECT_FALSE(caller->reply().cache_status.stored);
  EXPECT_EQ(caller->reply().cache_status.ttl, absl::Minutes(3));
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Call(QueryFor(1))->reply().cache_status.ttl, absl::Minutes(1));
  clock_.Advance(absl::Minutes(2));
  EXPECT_TRUE(Call(QueryFor(1))->waits());
}

TEST_F(CachingSourceTest, AHitBehindThisCacheThatIsStaleByNowIsNoAnswerForWhoCameLate) {
  const auto early = Call(QueryFor(1));
  const Reply hit =
      HitBehind(clock_, "shared", Stage::kMoving, absl::ZeroDuration(), absl::Seconds(1));
  clock_.Advance(absl::Seconds(1) + kPolicy.stale_while_revalidate);
  const auto late = Call(QueryFor(1));
  upstream_->AnswerWith(0, hit);
  EXPECT_EQ(early->message(), "shared");
  EXPECT_TRUE(late->waits());
  upstream_->Answer(1, "new");
  EXPECT_EQ(late->message(), "new");
}

// Whoever has been told of the end by one cache is not told of anything before it by another.
TEST_F(CachingSourceTest, AHitBehindThisCacheIsKeptWhoeverAskedForIt) {
  Query query = QueryFor(1);
  query.only_if_cached = true;
  const auto caller = Call(query);
  upstream_->AnswerWith(
      0, HitBehind(clock_, "the end", Stage::kFinal, absl::Minutes(1), absl::Hours(1)));
  EXPECT_EQ(caller->message(), "the end");
  EXPECT_EQ(caller->reply().age, absl::Minutes(1));
  const auto insisting = Call(QueryFor(1, absl::ZeroDuration()));
  upstream_->Answer(1, "before the end", Stage::kMoving);
  EXPECT_EQ(insisting->message(), "the end");
}

TEST_F(CachingSourceTest, AnOlderHitBehindThisCacheDoesNotTakeANewerOnesPlace) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "new", Stage::kMoving);
  clock_.Advance(kPolicy.moving_lifetime + kPolicy.stale_while_revalidate);
  const auto second = Call(QueryFor(1));
  upstream_->AnswerWith(1,
                        HitBehind(clock_, "old", Stage::kMoving, absl::Hours(1), absl::Hours(1)));
  EXPECT_EQ(second->message(), "new");
}

TEST_F(CachingSourceTest, AnOlderHitBehindThisCacheThatKnowsTheEndDoes) {
  const auto first = Call(QueryFor(1));
  upstream_->Answer(0, "lags behind", Stage::kMoving);
  const absl::Time asked_at = clock_.Now();
  clock_.Advance(kPolicy.moving_lifetime + kPolicy.stale_while_revalidate);
  const auto second = Call(QueryFor(1));
  upstream_->AnswerWith(
      1, HitBehind(clock_, "the end", Stage::kFinal, absl::Hours(1), absl::Hours(1)));
  EXPECT_EQ(second->message(), "the end");
  EXPECT_EQ(second->reply().outcome->as_of, asked_at);
}

TEST_F(CachingSourceTest, AWriteIsNeitherKeptNorShared) {
  const auto one = Call(WriteOf(1)), other = Call(WriteOf(1));
  ASSERT_EQ(upstream_->asked(), 2u);
  upstream_->Answer(1, "other");
  upstream_->Answer(0, "one");
  EXPECT_EQ(one->message(), "one");
  EXPECT_EQ(other->message(), "other");
  EXPECT_FALSE(one->reply().cache_status.stored);
  EXPECT_TRUE(Call(WriteOf(1))->waits());
  EXPECT_EQ(cache_->store_stats().entries, 0u);
}

TEST_F(CachingSourceTest, WhatIsPassedOnIsLeftBelowToo) {
  const auto caller = Call(WriteOf(1));
  caller->ticket.Cancel();
  EXPECT_TRUE(upstream_->cancelled(0));
  EXPECT_EQ(caller->code(), absl::StatusCode::kCancelled);
}

// Whatever credential it was kept for.
TEST_F(CachingSourceTest, AWriteThatSucceedsOutdatesWhatIsKept) {
  Query others = QueryFor(1);
  others.credential = TestCredential("another");
  const auto here = Call(QueryFor(1)), there = Call(others), else_ = Call(QueryFor(2));
  for (int i = 0; i < 3; ++i) upstream_->Answer(i, "before");

  const auto refused = Call(WriteOf(1));
  upstream_->Fail(3, absl::StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest, 400);
  EXPECT_EQ(Call(QueryFor(1))->message(), "before");

  const auto write = Call(WriteOf(1));
  EXPECT_EQ(Call(QueryFor(1))->message(), "before");  // it has not succeeded yet
  upstream_->Answer(4, "written");
  EXPECT_TRUE(Call(QueryFor(1))->waits());
  EXPECT_TRUE(Call(others)->waits());
  EXPECT_EQ(Call(QueryFor(2))->message(), "before");
}

TEST_F(CachingSourceTest, AWriteWhoseEndIsUnknownOutdatesToo) {
  const struct {
    absl::StatusCode code;
    Reason reason;
  } ends[] = {{absl::StatusCode::kUnknown, Reason::kOutcomeUnknown},
              {absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable}};
  size_t asked = 0;
  for (const auto& end : ends) {
    const auto before = Call(QueryFor(1));
    upstream_->Answer(asked, "before");
    const auto write = Call(WriteOf(1));
    upstream_->Fail(asked + 1, end.code, end.reason, 0);
    const auto after = Call(QueryFor(1));
    EXPECT_TRUE(after->waits()) << NameOf(end.reason);
    upstream_->Answer(asked + 2, "after");
    // The next one begins anew.
    const auto next = Call(WriteOf(1));
    upstream_->Answer(asked + 3, "written");
    asked += 4;
  }
}

// Outdated before its caller hears of it.
TEST_F(CachingSourceTest, WhoHearsThatItIsWrittenSeesNothingFromBefore) {
  const auto before = Call(QueryFor(1));
  upstream_->Answer(0, "before");
  bool at_hand = true;
  Ticket ticket = cache_->Ask(
      WriteOf(1), [&](const Reply&) { at_hand = cache_->AtHand(QueryFor(1)).has_value(); });
  upstream_->Answer(1, "written");
  EXPECT_FALSE(at_hand);
}

TEST_F(CachingSourceTest, WhatWasAskedForBeforeAWriteAnswersThoseWhoCameBeforeIt) {
  const auto before = Call(QueryFor(1));
  const auto write = Call(WriteOf(1));
  upstream_->Answer(1, "written");
  const auto after = Call(QueryFor(1));
  upstream_->Answer(0, "as it was");
  EXPECT_EQ(before->message(), "as it was");
  EXPECT_FALSE(before->reply().cache_status.stored);
  EXPECT_TRUE(after->waits());
  upstream_->Answer(2, "as it is");
  EXPECT_EQ(after->message(), "as it is");
  EXPECT_EQ(Call(QueryFor(1))->message(), "as it is");
}

TEST_F(CachingSourceTest, WhatACacheSaidBeforeAWriteIsNotKeptAfterIt) {
  Query query = QueryFor(1);
  query.only_if_cached = true;
  const auto before = Call(query);
  const auto write = Call(WriteOf(1));
  upstream_->Answer(1, "written");
  upstream_->AnswerWith(
      0, HitBehind(clock_, "as it was", Stage::kFinal, absl::Seconds(1), absl::Hours(1)));
  EXPECT_EQ(before->message(), "as it was");
  EXPECT_TRUE(Call(QueryFor(1))->waits());
}

// They would tell those behind this one, not us.
TEST_F(CachingSourceTest, WhereOthersWriteWhatCanChangeIsNotKeptHere) {
  auto upstream = std::make_unique<FakeSource>(clock_);
  upstream_ = upstream.get();
  cache_ = std::make_unique<CachingSource>(
      std::move(upstream),
      CacheOptions{.most_bytes = 1 << 20, .freshness = kPolicy, .others_write = true}, clock_);
  const auto first = Call(QueryFor(1));
  const auto joining = Call(QueryFor(1));
  Reply behind =
      HitBehind(clock_, "moving", Stage::kMoving, absl::ZeroDuration(), absl::Seconds(2));
  upstream_->AnswerWith(0, behind);
  EXPECT_EQ(first->message(), "moving");
  EXPECT_EQ(first->reply().cache_status.ttl, absl::Seconds(2));
  // It came after the first was asked for: another replica may have written in between.
  EXPECT_TRUE(joining->waits());
  upstream_->AnswerWith(1, behind);
  EXPECT_EQ(joining->message(), "moving");
  const auto final = Call(QueryFor(1));
  ASSERT_TRUE(final->waits());
  upstream_->Answer(2, "final");
  EXPECT_EQ(Call(QueryFor(1))->message(), "final");
}

// Callers come, wait and leave on several threads while answers come on others; run under
// ThreadSanitizer.
TEST(CachingSourceThreads, EveryCallerIsAnsweredExactlyOnce) {
  FakeClock clock;
  auto owned = std::make_unique<FakeSource>(clock);
  FakeSource* const upstream = owned.get();
  CachingSource cache(std::move(owned), {.most_bytes = 64 << 10}, clock);

  constexpr int kCallers = 4;
  constexpr int kCallsEach = 3000;
  std::atomic<int> answered{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kCallers; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < kCallsEach; ++i) {
        const auto max_age = random() % 3 == 0 ? absl::ZeroDuration() : absl::InfiniteDuration();
        Query query = QueryFor(random() % 8, max_age);
        if (cache.AtHand(query).has_value()) {
          ++answered;
          continue;
        }
        Ticket ticket = cache.Ask(std::move(query), [&](Reply) { ++answered; });
        if (random() % 2 == 0) ticket.Cancel();
        if (random() % 16 == 0) clock.Advance(absl::Seconds(1));
      }
    });
  }
  std::thread answering([&] {
    for (size_t next = 0; !stop || next < upstream->asked();) {
      if (next < upstream->asked()) {
        if (next % 5 == 0) {
          upstream->Fail(next, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
        } else {
          upstream->Answer(next, "capture", next % 2 == 0 ? Stage::kFinal : Stage::kMoving);
        }
        ++next;
      }
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  answering.join();
  EXPECT_EQ(answered.load(), kCallers * kCallsEach);
}

}  // namespace
}  // namespace pcap_gateway
