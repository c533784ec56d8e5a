#include "service/watch/watches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_loop.h"
#include "tests/support/fake_source.h"
#include "tests/support/listing.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::FieldsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const Endpoint& StopEndpoint() {
  static const Endpoint endpoint = [] {
    Endpoint made = WritingEndpoint();
    made.outdates = [](const Query& query) -> std::vector<Subject> {
      return {{query.account, Id(), ListEndpoint().number}};
    };
    return made;
  }();
  return endpoint;
}

constexpr absl::Duration kLife = absl::Seconds(2);

// One who watches, with what was told.
struct Watching {
  std::vector<std::string> Read() {
    std::vector<std::string> read;
    while (const OutcomePtr next = reader->Next()) read.push_back(next->message);
    return read;
  }
  std::string end() const {
    if (over == nullptr) return "open";
    return over->ok() ? "OK" : std::string(NameOf(over->error->reason));
  }

  std::unique_ptr<Reader> reader;
  int told = 0;
  size_t known = 0;  // captures, as it was told last
  OutcomePtr over;   // null: it is open
  Ticket ticket;
};

class WatchesTest : public testing::Test {
 protected:
  explicit WatchesTest(bool others_write = false)
      : watches_(source_,
                 {.list = &ListEndpoint(),
                  .get = &GetEndpoint(),
                  .freshness = {.jitter = 0},
                  .others_write = others_write},
                 loop_, clock_) {}

  static Query QueryOf(const std::vector<int>& numbers) {
    Query query = QueryFor(0);
    query.endpoint = &ListEndpoint();
    if (!numbers.empty()) {
      auto ids = std::make_shared<std::vector<Id>>();
      for (const int number : numbers) ids->push_back(NumberedId(number));
      query.resources = std::move(ids);
    }
    return query;
  }

  // Of these captures, or of the account.
  Watching& Watch(const std::vector<int>& numbers = {}) { return WatchWith(QueryOf(numbers)); }

  Watching& WatchWith(Query query) {
    Watching& watching = all_.emplace_back();
    watching.reader = std::make_unique<Reader>(query.resources);
    watching.ticket = watches_.Follow(
        std::move(query),
        [&watching](const View& view) {
          EXPECT_EQ(watching.over, nullptr);
          ++watching.told;
          watching.known = view->size();
          watching.reader->Take(view);
        },
        [&watching](const Reply& reply) {
          EXPECT_EQ(watching.over, nullptr);
          watching.over = reply.outcome;
        });
    loop_.RunAll();
    return watching;
  }

  // The latest question is answered: a list, with what it is fresh for.
  void Answer(const std::string& list, std::optional<absl::Duration> ttl = kLife) {
    AnswerAt(source_.asked() - 1, list, ttl);
  }
  void AnswerAt(size_t number, const std::string& list, std::optional<absl::Duration> ttl = kLife) {
    source_.AnswerWith(number, {.outcome = MakeOutcome(clock_.Now(), list, Stage::kMoving),
                                .cache_status = {.how = CacheStatus::How::kUriMiss, .ttl = ttl}});
    loop_.RunAll();
  }
  void Fail(absl::StatusCode code, Reason reason, int http_status = 0,
            Denies denies = Denies::kNothing) {
    source_.Fail(source_.asked() - 1, code, reason, http_status, denies);
    loop_.RunAll();
  }
  // Nothing is kept of what a first watcher names.
  void NothingKept(size_t from = 0) {
    for (size_t i = from; i < source_.asked(); ++i) {
      const Query query = source_.query(i);
      if (!query.only_if_cached) continue;
      source_.Fail(i, absl::StatusCode::kFailedPrecondition, Reason::kNotCached, 0);
    }
    loop_.RunAll();
  }

  void Advance(absl::Duration by) {
    loop_.Advance(by);
    loop_.RunAll();
  }

  std::string Asked(size_t number) const {
    const Query query = source_.query(number);
    std::string text(query.endpoint->name);
    if (query.resource != Id()) text += " " + query.resource.ToString().substr(31);
    return query.only_if_cached ? text + " if kept" : text;
  }
  std::string LastAsked() const { return Asked(source_.asked() - 1); }

  void Write(int account = 1) {
    Query query = QueryFor(0);
    query.endpoint = &StopEndpoint();
    query.account = NumberedId(account);
    watches_.Written(query);
    loop_.RunAll();
  }

  FakeClock clock_;
  FakeLoop loop_{clock_};
  FakeSource source_{clock_};
  std::deque<Watching> all_;
  Watches watches_;
};

TEST_F(WatchesTest, TellsEachCaptureFirstAndThenEachChange) {
  Watching& one = Watch();
  ASSERT_EQ(source_.asked(), 1u);
  EXPECT_EQ(LastAsked(), "List");
  EXPECT_EQ(source_.query(0).max_age, absl::InfiniteDuration());
  Answer("1m:pending 2f:success");
  EXPECT_THAT(one.Read(), UnorderedElementsAre("1m:pending", "2f:success"));
  Advance(kLife);
  ASSERT_EQ(source_.asked(), 2u);
  Answer("1m:running 2f:success 3m:new");
  EXPECT_THAT(one.Read(), ElementsAre("1m:running", "3m:new"));
  EXPECT_EQ(one.end(), "open");
}

TEST_F(WatchesTest, AsksOnceForAllAndWakesNobodyWhileNothingChanges) {
  for (int i = 0; i < 100; ++i) Watch();
  Watch({1});
  EXPECT_EQ(source_.asked(), 1u);
  Answer("1m:pending");
  for (int i = 0; i < 100; ++i) Watch({1});
  EXPECT_EQ(source_.asked(), 1u);
  for (int round = 0; round < 10; ++round) {
    Advance(kLife);
    ASSERT_EQ(source_.asked(), 2u + round);
    Answer("1m:pending");
  }
  for (const Watching& one : all_) EXPECT_EQ(one.told, 1);
  EXPECT_EQ(watches_.stats().watchers, 201);
  EXPECT_EQ(watches_.stats().rounds, 1);
}

TEST_F(WatchesTest, AsksWhenTheListIsNoLongerFresh) {
  Watch();
  Answer("1m:pending", absl::Seconds(7));
  Advance(absl::Milliseconds(6999));
  EXPECT_EQ(source_.asked(), 1u);
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(source_.asked(), 2u);
  // Where nothing is kept: after as long as it would be.
  AnswerAt(1, "1m:pending", std::nullopt);
  Advance(absl::Milliseconds(1999));
  EXPECT_EQ(source_.asked(), 2u);
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(source_.asked(), 3u);
}

TEST_F(WatchesTest, WhoComesLaterIsToldAtOnceWhatIsKnown) {
  Watch();
  Answer("1m:pending 2m:pending");
  Advance(absl::Seconds(1));
  EXPECT_THAT(Watch({2}).Read(), ElementsAre("2m:pending"));
  EXPECT_THAT(Watch().Read(), UnorderedElementsAre("1m:pending", "2m:pending"));
  EXPECT_EQ(source_.asked(), 1u);
}

TEST_F(WatchesTest, WhoWantsItYoungerWaitsForThat) {
  Watch();
  Answer("1m:pending");
  Advance(absl::Seconds(1));
  Query query = QueryOf({1});
  query.max_age = absl::Milliseconds(500);
  Watching& one = WatchWith(query);
  EXPECT_EQ(one.told, 0);
  ASSERT_EQ(source_.asked(), 2u);
  EXPECT_EQ(source_.query(1).max_age, absl::Milliseconds(500));
  Answer("1m:running");
  EXPECT_THAT(one.Read(), ElementsAre("1m:running"));
}

TEST_F(WatchesTest, EndsWhenAllThatAreNamedAreFinal) {
  Watch();
  Answer("1m:pending 2m:pending 3m:pending");
  Watching& one = Watch({1, 2});
  EXPECT_THAT(one.Read(), UnorderedElementsAre("1m:pending", "2m:pending"));
  Advance(kLife);
  Answer("1f:success 2m:running 3m:pending");
  EXPECT_THAT(one.Read(), UnorderedElementsAre("1f:success", "2m:running"));
  EXPECT_EQ(one.end(), "open");
  Advance(kLife);
  Answer("1f:success 2f:complete 3m:pending");
  EXPECT_THAT(one.Read(), ElementsAre("2f:complete"));
  EXPECT_EQ(one.end(), "OK");
  EXPECT_EQ(all_.front().end(), "open");
  EXPECT_EQ(watches_.stats().watchers, 1);
  // All of them were, when it came.
  EXPECT_EQ(Watch({1, 2}).end(), "OK");
}

TEST_F(WatchesTest, WhatIsKeptAsFinalNeedsNoList) {
  Watching& one = Watch({1, 2});
  ASSERT_EQ(source_.asked(), 2u);
  EXPECT_EQ(Asked(0), "Get 1 if kept");
  EXPECT_EQ(Asked(1), "Get 2 if kept");
  AnswerAt(0, "1f:success");
  AnswerAt(1, "2f:success");
  EXPECT_THAT(one.Read(), UnorderedElementsAre("1f:success", "2f:success"));
  EXPECT_EQ(one.end(), "OK");
  EXPECT_EQ(source_.asked(), 2u);
  EXPECT_EQ(watches_.stats().rounds, 0);
  EXPECT_TRUE(loop_.idle());
}

TEST_F(WatchesTest, WhatTheListDoesNotHaveIsAskedForByItself) {
  Watching& one = Watch({1, 2});
  NothingKept();
  EXPECT_EQ(LastAsked(), "List");
  Answer("1m:pending");
  EXPECT_THAT(one.Read(), ElementsAre("1m:pending"));
  EXPECT_EQ(LastAsked(), "Get 2");
  Answer("2m:running");
  EXPECT_THAT(one.Read(), ElementsAre("2m:running"));
  const size_t asked = source_.asked();
  // Again with each list, until it is final.
  Advance(kLife);
  Answer("1f:success");
  ASSERT_EQ(source_.asked(), asked + 2);
  EXPECT_EQ(LastAsked(), "Get 2");
  Answer("2f:complete");
  EXPECT_THAT(one.Read(), ElementsAre("1f:success", "2f:complete"));
  EXPECT_EQ(one.end(), "OK");
}

TEST_F(WatchesTest, ACaptureThatLeavesTheListIsFollowedToItsEnd) {
  Watching& one = Watch();
  Answer("1m:running 2f:success");
  one.Read();
  Advance(kLife);
  Answer("3m:pending");
  EXPECT_EQ(LastAsked(), "Get 1");
  Answer("1f:complete");
  EXPECT_THAT(one.Read(), UnorderedElementsAre("3m:pending", "1f:complete"));
  Advance(kLife);
  EXPECT_EQ(LastAsked(), "List");
}

TEST_F(WatchesTest, AnIdThatCloudflareDoesNotKnowEndsThoseWhoNamedIt) {
  Watching& one = Watch({1, 9});
  NothingKept();
  Watching& other = Watch({1});
  Answer("1m:pending");
  EXPECT_EQ(LastAsked(), "Get 9");
  Fail(absl::StatusCode::kNotFound, Reason::kPcapNotFound, 404);
  EXPECT_EQ(one.end(), "PCAP_NOT_FOUND");
  const Error& error = *one.over->error;
  EXPECT_THAT(error.metadata, testing::Contains(std::pair<std::string, std::string>(
                                  "pcapId", NumberedId(9).ToString())));
  EXPECT_THAT(error.message, testing::HasSubstr(NumberedId(9).ToString()));
  EXPECT_EQ(other.end(), "open");
}

TEST_F(WatchesTest, WhatMayPassIsWaitedOutInSilence) {
  Watching& one = Watch();
  Answer("1m:pending");
  one.Read();
  for (const Reason reason : {Reason::kUpstreamUnreachable, Reason::kUpstreamUnavailable}) {
    Advance(absl::Seconds(10));
    Fail(absl::StatusCode::kUnavailable, reason);
  }
  Advance(absl::Seconds(10));
  Fail(absl::StatusCode::kInternal, Reason::kUpstreamInvalidResponse, 200);
  Advance(absl::Seconds(10));
  Fail(absl::StatusCode::kResourceExhausted, Reason::kRateLimited);
  EXPECT_EQ(one.told, 1);
  EXPECT_EQ(one.end(), "open");
  EXPECT_EQ(watches_.stats().failed.Value(), 4u);
  Advance(absl::Seconds(10));
  Answer("1f:success");
  EXPECT_THAT(one.Read(), ElementsAre("1f:success"));
}

TEST_F(WatchesTest, WhatFailsIsAskedForMoreAndMoreSeldom) {
  Watch();
  Answer("1m:pending");
  Advance(kLife);
  const absl::Duration pauses[] = {absl::Seconds(2), absl::Seconds(4),  absl::Seconds(6),
                                   absl::Seconds(8), absl::Seconds(10), absl::Seconds(10)};
  for (const absl::Duration pause : pauses) {
    Fail(absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable);
    EXPECT_EQ(loop_.next_in(), pause);
    // Newcomers do not hurry it.
    const size_t asked = source_.asked();
    EXPECT_THAT(Watch().Read(), ElementsAre("1m:pending"));
    EXPECT_EQ(source_.asked(), asked);
    Advance(pause);
  }
  Answer("1m:pending");
  Advance(kLife);
  Fail(absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable);
  EXPECT_EQ(loop_.next_in(), absl::Seconds(2));
}

TEST_F(WatchesTest, NobodyHurriesAFirstListThatFails) {
  Watch();
  Fail(absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable);
  Watching& late = Watch();
  EXPECT_EQ(source_.asked(), 1u);
  Advance(absl::Seconds(2));
  ASSERT_EQ(source_.asked(), 2u);
  Answer("1m:pending");
  EXPECT_THAT(late.Read(), ElementsAre("1m:pending"));
}

TEST_F(WatchesTest, CloudflaresOwnRateLimitIsKeptTo) {
  Watch();
  Error error(absl::StatusCode::kResourceExhausted, Reason::kRateLimited, "429");
  error.retry_after = absl::Seconds(120);
  source_.AnswerWith(0, {.outcome = MakeFailure(clock_.Now(), error, 429)});
  loop_.RunAll();
  EXPECT_EQ(loop_.next_in(), absl::Seconds(120));
  Advance(absl::Seconds(120));
  // What our own budget refuses costs Cloudflare nothing.
  source_.AnswerWith(1, {.outcome = MakeFailure(clock_.Now(), error, 0)});
  loop_.RunAll();
  EXPECT_EQ(loop_.next_in(), absl::Seconds(10));
}

TEST_F(WatchesTest, AStaleListIsToldAndCountsAsAFailure) {
  Watching& one = Watch();
  source_.AnswerWith(
      0, {.outcome = MakeOutcome(clock_.Now() - absl::Minutes(5), "1m:pending", Stage::kMoving),
          .cache_status = {
              .how = CacheStatus::How::kStale, .stale_if_error = true, .ttl = -absl::Minutes(4)}});
  loop_.RunAll();
  EXPECT_THAT(one.Read(), ElementsAre("1m:pending"));
  EXPECT_EQ(watches_.stats().failed.Value(), 1u);
  EXPECT_EQ(loop_.next_in(), absl::Seconds(2));
}

TEST_F(WatchesTest, WhatNoListBringsIsAskedForByItself) {
  Watching& one = Watch({1});
  NothingKept();
  Fail(absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(LastAsked(), "Get 1");
  Answer("1m:running");
  EXPECT_THAT(one.Read(), ElementsAre("1m:running"));
  const size_t asked = source_.asked();
  Advance(absl::Seconds(2));
  Fail(absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(source_.asked(), asked + 1);
}

TEST_F(WatchesTest, WhatDeniesTheCredentialEndsAllOfIt) {
  Watching& one = Watch();
  Watching& other = Watch({1});
  Query elsewhere = QueryOf({});
  elsewhere.account = NumberedId(2);
  Watching& another = WatchWith(elsewhere);
  ASSERT_EQ(source_.asked(), 2u);
  source_.Fail(0, absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected, 401,
               Denies::kEverything);
  loop_.RunAll();
  EXPECT_EQ(one.end(), "UPSTREAM_CREDENTIALS_REJECTED");
  EXPECT_EQ(other.end(), "UPSTREAM_CREDENTIALS_REJECTED");
  EXPECT_EQ(another.end(), "open");
  EXPECT_EQ(watches_.stats().rounds, 1);
}

TEST_F(WatchesTest, AnAccountThatThereIsNotEndsIt) {
  Watching& one = Watch();
  Fail(absl::StatusCode::kNotFound, Reason::kAccountNotFound, 404);
  EXPECT_EQ(one.end(), "ACCOUNT_NOT_FOUND");
}

TEST_F(WatchesTest, TheLastOnesLeavingEndsTheRound) {
  Watching& one = Watch();
  Watching& other = Watch();
  Answer("1m:pending");
  one.ticket.Cancel();
  loop_.RunAll();
  EXPECT_EQ(one.end(), "CANCELLED");
  EXPECT_FALSE(loop_.idle());
  other.ticket.Cancel();
  loop_.RunAll();
  EXPECT_EQ(other.end(), "CANCELLED");
  EXPECT_TRUE(loop_.idle());
  EXPECT_EQ(watches_.stats().rounds, 0);
  EXPECT_THAT(watches_.Largest(10), IsEmpty());
  EXPECT_EQ(source_.asked(), 1u);
}

TEST_F(WatchesTest, WhoLeavesBeforeAnythingIsKnownEndsTheQuestion) {
  Watching& one = Watch({1, 2});
  NothingKept();
  one.ticket.Cancel();
  loop_.RunAll();
  EXPECT_TRUE(source_.cancelled(source_.asked() - 1));
  EXPECT_EQ(one.end(), "CANCELLED");
}

TEST_F(WatchesTest, CallersCredentialsHaveRoundsOfTheirOwn) {
  for (const char* const token : {"one", "other", "one"}) {
    Query query = QueryOf({});
    query.credential = TestCredential(token, Credential::Owner::kCaller);
    WatchWith(query);
  }
  EXPECT_EQ(source_.asked(), 2u);
  EXPECT_EQ(watches_.stats().rounds, 2);
  EXPECT_THAT(watches_.Largest(10), ElementsAre(FieldsAre("", NumberedId(1), 3)));
}

TEST_F(WatchesTest, WhoWatchesWhatIsKnownByCallerAndAccount) {
  for (const char* const caller : {"one", "other", "other"}) {
    Query query = QueryOf({});
    query.caller = std::make_shared<const std::string>(caller);
    WatchWith(query);
  }
  EXPECT_THAT(watches_.Largest(10), ElementsAre(FieldsAre("other", NumberedId(1), 2),
                                                FieldsAre("one", NumberedId(1), 1)));
  EXPECT_THAT(watches_.Largest(1), ElementsAre(FieldsAre("other", NumberedId(1), 2)));
}

TEST_F(WatchesTest, TheGatewaysNextCredentialTakesOver) {
  Watching& one = Watch();
  Answer("1m:pending");
  one.Read();
  Advance(kLife);
  const auto next = TestCredential("next");
  watches_.SetServiceCredential(next);
  loop_.RunAll();
  // The answer to the former one says nothing any more.
  Fail(absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected, 401, Denies::kEverything);
  EXPECT_EQ(one.end(), "open");
  EXPECT_EQ(source_.query(source_.asked() - 1).credential, next);
  Answer("1m:running");
  EXPECT_THAT(one.Read(), ElementsAre("1m:running"));
}

TEST_F(WatchesTest, EachWatcherInTurnAsksForAll) {
  for (const char* const name : {"ann", "bob"}) {
    Query query = QueryOf({});
    query.caller = std::make_shared<const std::string>(name);
    WatchWith(query);
  }
  std::vector<std::string> callers;
  for (int i = 0; i < 4; ++i) {
    Answer("1m:pending");
    Advance(kLife);
    callers.push_back(*source_.query(source_.asked() - 1).caller);
  }
  EXPECT_THAT(callers, ElementsAre("ann", "bob", "ann", "bob"));
}

TEST_F(WatchesTest, AWriteHasItsAccountAskedAnewAtOnce) {
  Watching& one = Watch();
  Answer("1m:running");
  one.Read();
  Advance(absl::Seconds(1));
  Write(/*account=*/2);
  EXPECT_EQ(source_.asked(), 1u);
  Write();
  ASSERT_EQ(source_.asked(), 2u);
  EXPECT_EQ(source_.query(1).max_age, absl::ZeroDuration());
  // Nobody is told any more what was before it.
  Watching& late = Watch();
  EXPECT_EQ(late.told, 0);
  Answer("1m:stopping");
  EXPECT_THAT(one.Read(), ElementsAre("1m:stopping"));
  EXPECT_THAT(late.Read(), ElementsAre("1m:stopping"));
}

TEST_F(WatchesTest, AListThatWasAskedForBeforeAWriteIsNotTold) {
  Watching& one = Watch();
  Advance(absl::Seconds(1));
  Write();
  EXPECT_EQ(source_.asked(), 1u);
  AnswerAt(0, "1m:running");
  EXPECT_EQ(one.told, 0);
  ASSERT_EQ(source_.asked(), 2u);
  Answer("1m:stopping");
  EXPECT_THAT(one.Read(), ElementsAre("1m:stopping"));
}

TEST_F(WatchesTest, AFailureAfterAWriteTellsNothingOld) {
  Watch();
  Answer("1m:running");
  Advance(absl::Seconds(1));
  Write();
  Watching& late = Watch();
  Fail(absl::StatusCode::kUnavailable, Reason::kUpstreamUnreachable);
  EXPECT_EQ(late.told, 0);
  Advance(absl::Seconds(2));
  Answer("1m:stopping");
  EXPECT_THAT(late.Read(), ElementsAre("1m:stopping"));
}

TEST_F(WatchesTest, WhatIsAskedForByItselfBeforeAWriteIsAskedForAgain) {
  Watching& one = Watch({1});
  NothingKept();
  Answer("2m:running");
  const size_t get = source_.asked() - 1;
  EXPECT_EQ(LastAsked(), "Get 1");
  Advance(absl::Seconds(1));
  Write();
  AnswerAt(get, "1m:running");
  EXPECT_EQ(one.told, 1);
  EXPECT_EQ(LastAsked(), "Get 1");
  Answer("1m:stopping");
  EXPECT_THAT(one.Read(), ElementsAre("1m:stopping"));
}

TEST_F(WatchesTest, WhatIsInNoListIsNotToldFromBeforeAWrite) {
  Watch({1});
  NothingKept();
  Answer("2m:running");
  Answer("1m:running");
  Advance(absl::Seconds(1));
  Write();
  Watching& late = Watch({1});
  Answer("2m:running");
  EXPECT_THAT(late.Read(), IsEmpty());
  EXPECT_EQ(LastAsked(), "Get 1");
  Answer("1m:stopping");
  EXPECT_THAT(late.Read(), ElementsAre("1m:stopping"));
}

TEST_F(WatchesTest, WhatNobodyNamesAnyMoreIsForgotten) {
  Watch();
  Answer("1m:running");
  for (int i = 0; i < 2 * static_cast<int>(Sightings::kMostPast); ++i) {
    Watching& one = Watch({1000 + i});
    Answer(std::to_string(1000 + i) + "m:running");
    EXPECT_EQ(one.told, 2);
    EXPECT_LE(one.known, Sightings::kMostPast + 3);
    one.ticket.Cancel();
    loop_.RunAll();
  }
}

// Where other replicas write, what this one knows may be from before.
class SharingWatchesTest : public WatchesTest {
 protected:
  SharingWatchesTest() : WatchesTest(/*others_write=*/true) {}
};

TEST_F(SharingWatchesTest, WhoComesIsToldWhatTheSourceSaysNow) {
  Watch();
  Answer("1m:running");
  Advance(absl::Seconds(1));
  Watching& late = Watch();
  EXPECT_EQ(late.told, 0);
  // Another one, while that is asked for.
  Watching& later = Watch();
  ASSERT_EQ(source_.asked(), 2u);
  Answer("1m:stopping");
  EXPECT_THAT(late.Read(), ElementsAre("1m:stopping"));
  EXPECT_THAT(later.Read(), IsEmpty());
  ASSERT_EQ(source_.asked(), 3u);
  Answer("1m:stopping");
  EXPECT_THAT(later.Read(), ElementsAre("1m:stopping"));
}

}  // namespace
}  // namespace pcap_gateway
