#include "service/cache/caching_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using How = CacheStatus::How;

constexpr FreshnessPolicy kPolicy{};

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
  clock_.Advance(kPolicy.moving_lifetime);
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

TEST_F(CachingSourceTest, TheLastOneToLeaveEndsTheRequest) {
  const auto first = Call(QueryFor(1));
  const auto second = Call(QueryFor(1));
  first->ticket.Cancel();
  second->ticket.Cancel();
  EXPECT_TRUE(upstream_->cancelled(0));
  EXPECT_EQ(second->code(), absl::StatusCode::kCancelled);

  const auto third = Call(QueryFor(1));
  EXPECT_TRUE(third->waits());
  EXPECT_EQ(upstream_->asked(), 2u);
  upstream_->Answer(1, "capture");
  EXPECT_EQ(third->message(), "capture");
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

TEST_F(CachingSourceTest, TheNextRequestStartsEvenWhenAllLeaveTheOneUnderWay) {
  const auto first = Call(QueryFor(1));
  const auto insistent = Call(QueryFor(1, absl::ZeroDuration()));
  first->ticket.Cancel();
  EXPECT_TRUE(upstream_->cancelled(0));
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
