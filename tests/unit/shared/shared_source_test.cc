#include "service/shared/shared_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <utility>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "service/shared/redis_rehearsal.h"
#include "service/shared/shared_entry.h"
#include "tests/support/event.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_source.h"
#include "tests/support/queries.h"
#include "tests/support/redis_server.h"
#include "tests/support/until.h"

namespace pcap_gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using How = CacheStatus::How;

// A question that was asked.
struct Asked {
  Event answered;
  Reply answer;
  Ticket ticket;

  const Reply& reply() {
    EXPECT_TRUE(answered.Await());
    return answer;
  }
  std::string message() { return reply().outcome->ok() ? answer.outcome->message : "none"; }
};

// A gateway, as far as Redis sees it.
struct Replica {
  Replica(const RedisServer& server, const Clock& clock, SharedOptions options,
          RedisOptions redis = {}) {
    if (redis.url.path.empty()) redis.url = *RedisUrlFrom(server.url());
    redis.rehearsal = RedisRehearsal();
    redis.reconnect_after = absl::Milliseconds(10);
    auto owned = std::make_unique<FakeSource>(clock);
    upstream = owned.get();
    source = std::make_unique<SharedSource>(std::move(owned), RedisClient::Start(*loop, redis),
                                            std::move(options), clock);
  }
  ~Replica() { Stop(); }

  void Stop() {
    source->Stop();
    loop->Stop();
  }

  std::shared_ptr<Asked> Ask(Query query) {
    auto asked = std::make_shared<Asked>();
    asked->ticket = source->Ask(std::move(query), [asked](Reply reply) {
      asked->answer = std::move(reply);
      asked->answered.Happen();
    });
    return asked;
  }

  [[nodiscard]] bool AwaitUp() {
    return Until([this] { return source->redis_stats().up.load(); });
  }

  std::unique_ptr<EventLoop> loop = *EventLoop::Start();
  FakeSource* upstream;
  std::unique_ptr<SharedSource> source;
};

class SharedSourceTest : public testing::Test {
 protected:
  std::unique_ptr<Replica> NewReplica(SharedOptions options = {}, RedisOptions redis = {}) {
    // Slow machines are not what these tests are about, but for those that say so.
    if (redis.command_timeout == absl::Milliseconds(5)) redis.command_timeout = absl::Seconds(10);
    // Nor is a lock to expire that should have been given back.
    if (options.lock_time == absl::Seconds(10)) options.lock_time = absl::Hours(1);
    auto replica = std::make_unique<Replica>(server_, clock_, std::move(options), std::move(redis));
    EXPECT_TRUE(replica->AwaitUp());
    return replica;
  }

  // What replica `by` brought about capture 1.
  void Bring(Replica& by, const std::string& message, Stage stage = Stage::kFinal,
             absl::Duration max_age = absl::ZeroDuration()) {
    const size_t number = by.upstream->asked();
    const auto asked = by.Ask(QueryFor(1, max_age));
    ASSERT_TRUE(by.upstream->AwaitAsked(number + 1));
    by.upstream->Answer(number, message, stage);
    asked->reply();
    ASSERT_TRUE(Until([&] { return !Entries().empty(); }));
  }

  // The names of Redis' entries, without locks and standings.
  std::vector<std::string> Entries() const {
    std::vector<std::string> names = Names();
    std::erase_if(names, [](const std::string& name) {
      return name.ends_with(":lock") || name.ends_with(":standing");
    });
    return names;
  }
  std::vector<std::string> Names() const {
    return absl::StrSplit(server_.Cli({"KEYS", "*"}), '\n', absl::SkipEmpty());
  }

  // What replica `by` is told when Cloudflare denies it to the credential.
  void Refuse(Replica& by, Query query, Denies denies) {
    query.max_age = absl::ZeroDuration();
    Fail(by, std::move(query), absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected,
         denies == Denies::kAccount ? 403 : 401, denies);
  }

  // Has `by` look into Redis and not find the capture there, nor at Cloudflare.
  void LookFor(Replica& by, int resource) {
    Fail(by, QueryFor(resource), absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503,
         Denies::kNothing);
  }

  void Fail(Replica& by, Query query, absl::StatusCode code, Reason reason, int http_status,
            Denies denies) {
    const size_t number = by.upstream->asked();
    const auto asked = by.Ask(std::move(query));
    ASSERT_TRUE(by.upstream->AwaitAsked(number + 1));
    by.upstream->Fail(number, code, reason, http_status, denies);
    EXPECT_EQ(asked->message(), "none");
  }

  // Has `by` write capture 1, from the first to the last.
  void Write(Replica& by) {
    const size_t number = by.upstream->asked();
    const auto write = by.Ask(WriteOf(1));
    ASSERT_TRUE(by.upstream->AwaitAsked(number + 1));
    by.upstream->Answer(number, "written");
    EXPECT_EQ(write->message(), "written");
  }

  // Stops Redis, which keeps what it holds, until `by` takes it for down. False: it does not.
  [[nodiscard]] bool LoseRedis(Replica& by) {
    server_.Pause();
    return Until([&] {
      const size_t number = by.upstream->asked();
      const auto asked = by.Ask(InAccount(1, 9));
      EXPECT_TRUE(by.upstream->AwaitAsked(number + 1));
      by.upstream->Answer(number, "");
      asked->reply();
      return !by.source->redis_stats().up;
    });
  }

  // Whether `by` is answered by Redis. What it is not is answered by Cloudflare, and stored.
  bool IsHit(Replica& by, Query query) {
    const auto asked = by.Ask(std::move(query));
    EXPECT_TRUE(Until([&] {
      for (size_t i = 0; i < by.upstream->asked(); ++i) by.upstream->Answer(i, "asked for anew");
      return asked->answered.HasHappened();
    }));
    return asked->reply().cache_status.how == How::kHit;
  }

  static Query InAccount(int account, int resource) {
    Query query = QueryFor(resource);
    query.account = NumberedId(account);
    return query;
  }

  FakeClock clock_;
  RedisServer server_;
};

TEST_F(SharedSourceTest, WhatOneReplicaHasLearntTheOthersAreTold) {
  const auto one = NewReplica(), other = NewReplica();
  const auto asked = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  one->upstream->Answer(0, "capture");
  EXPECT_EQ(asked->message(), "capture");
  EXPECT_EQ(asked->reply().cache_status.how, How::kUriMiss);
  EXPECT_TRUE(asked->reply().cache_status.stored);

  const auto shared = other->Ask(QueryFor(1));
  EXPECT_EQ(shared->message(), "capture");
  const CacheStatus& status = shared->reply().cache_status;
  EXPECT_EQ(status.how, How::kHit);
  EXPECT_TRUE(status.shared);
  EXPECT_GT(*status.ttl, absl::Hours(20));
  EXPECT_EQ(other->upstream->asked(), 0u);
  EXPECT_EQ(other->source->stats().hits.Value(), 1u);
}

TEST_F(SharedSourceTest, AnEntryIsNeverYoungerThanItsOutcome) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "capture");
  const absl::Time sent_at = clock_.Now();
  const auto first = other->Ask(QueryFor(1));
  const absl::Duration age = first->reply().age;
  const absl::Time came = absl::Now();
  EXPECT_GT(age, absl::ZeroDuration());
  EXPECT_EQ(first->reply().outcome->as_of, sent_at - age);
  // Real time passes for Redis; the age grows by as much.
  ASSERT_TRUE(Until([&] { return absl::Now() > came + absl::Milliseconds(20); }));
  EXPECT_GE(other->Ask(QueryFor(1))->reply().age, age + absl::Milliseconds(15));
}

TEST_F(SharedSourceTest, OneAsksAndTheOthersWait) {
  const auto one = NewReplica(), other = NewReplica();
  const auto first = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  std::vector<std::shared_ptr<Asked>> others;
  for (int i = 0; i < 50; ++i) others.push_back(other->Ask(QueryFor(1)));
  ASSERT_TRUE(Until([&] { return other->source->stats().waits.Value() == 50; }));
  one->upstream->Answer(0, "capture");
  EXPECT_EQ(first->message(), "capture");
  for (const auto& asked : others) EXPECT_EQ(asked->message(), "capture");
  EXPECT_EQ(other->upstream->asked(), 0u);
  EXPECT_EQ(other->source->stats().hits.Value(), 50u);
  EXPECT_EQ(other->source->stats().misses.Value(), 0u);
}

TEST_F(SharedSourceTest, AFailureIsNotSharedTheNextOneAsks) {
  const auto one = NewReplica(), other = NewReplica();
  const auto first = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  const auto second = other->Ask(QueryFor(1));
  ASSERT_TRUE(Until([&] { return other->source->stats().waits.Value() == 1; }));
  one->upstream->Fail(0, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_FALSE(first->reply().outcome->ok());
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "capture");
  EXPECT_EQ(second->message(), "capture");
}

// It has been paid for, and the others may have it.
TEST_F(SharedSourceTest, ARequestWhoseCallerLeftEndsByItselfAndIsShared) {
  const auto one = NewReplica(), other = NewReplica();
  const auto first = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  const auto second = other->Ask(QueryFor(1));
  ASSERT_TRUE(Until([&] { return other->source->stats().waits.Value() == 1; }));
  first->ticket.Cancel();
  EXPECT_EQ(first->reply().outcome->error->reason, Reason::kCancelled);
  EXPECT_FALSE(one->upstream->cancelled(0));
  EXPECT_TRUE(one->upstream->query(0).is_abandoned());
  EXPECT_EQ(one->upstream->query(0).deadline, absl::InfiniteFuture());
  one->upstream->Answer(0, "capture");
  EXPECT_EQ(second->message(), "capture");
  EXPECT_EQ(other->upstream->asked(), 0u);
}

TEST_F(SharedSourceTest, WhatIsGivenUpBelowGivesTheLockBack) {
  const auto one = NewReplica(), other = NewReplica();
  const auto first = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  const auto second = other->Ask(QueryFor(1));
  ASSERT_TRUE(Until([&] { return other->source->stats().waits.Value() == 1; }));
  first->ticket.Cancel();
  one->upstream->GiveUp(0);
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "capture");
  EXPECT_EQ(second->message(), "capture");
}

// As the cache in front does: it holds the question, and its callers come and go.
TEST_F(SharedSourceTest, AQuestionThatAllHaveLeftWhileItWaitsIsGivenUpAndAsksNobody) {
  const auto one = NewReplica(), other = NewReplica();
  one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  const auto waited_until = std::make_shared<LatestDeadline>(absl::InfiniteFuture());
  Query query = QueryFor(1);
  query.latest_deadline = waited_until;
  const auto second = other->Ask(query);
  ASSERT_TRUE(Until([&] { return other->source->stats().waits.Value() == 1; }));
  waited_until->Reset();
  EXPECT_EQ(second->reply().outcome->error->reason, Reason::kCancelled);
  EXPECT_EQ(other->upstream->asked(), 0u);
  one->upstream->Answer(0, "capture");
}

TEST_F(SharedSourceTest, ARefreshIsAskedThoughNobodyWaits) {
  const auto one = NewReplica();
  Query query = QueryFor(1);
  query.background = true;
  query.latest_deadline = std::make_shared<LatestDeadline>(absl::InfinitePast());
  const auto asked = one->Ask(query);
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  EXPECT_TRUE(one->upstream->query(0).background);
  EXPECT_EQ(one->upstream->query(0).latest_deadline, query.latest_deadline);
  one->upstream->Answer(0, "capture");
  EXPECT_EQ(asked->message(), "capture");
}

TEST_F(SharedSourceTest, WhoWaitsMayLeave) {
  const auto one = NewReplica(), other = NewReplica();
  one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  const auto second = other->Ask(QueryFor(1));
  ASSERT_TRUE(Until([&] { return other->source->stats().waits.Value() == 1; }));
  second->ticket.Cancel();
  EXPECT_EQ(second->reply().outcome->error->reason, Reason::kCancelled);
  EXPECT_EQ(other->upstream->asked(), 0u);
  one->upstream->Answer(0, "capture");
}

TEST_F(SharedSourceTest, ALockWhoseHolderIsGoneExpires) {
  const SharedOptions options{.lock_time = absl::Milliseconds(50)};
  const auto one = NewReplica(options), other = NewReplica(options);
  one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));  // and never answered
  const auto second = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "capture");
  EXPECT_EQ(second->message(), "capture");
  one->upstream->Answer(0, "late");
}

TEST_F(SharedSourceTest, ARedisThatDiesHoldsUpNobody) {
  const auto one = NewReplica(), other = NewReplica();
  const auto first = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  const auto second = other->Ask(QueryFor(1));
  ASSERT_TRUE(Until([&] { return other->source->stats().waits.Value() == 1; }));
  server_.Kill();
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "capture");
  one->upstream->Answer(0, "capture");
  EXPECT_EQ(first->message(), "capture");
  EXPECT_EQ(second->message(), "capture");

  ASSERT_TRUE(Until([&] { return !one->source->redis_stats().up; }));
  const auto third = one->Ask(QueryFor(2));
  ASSERT_TRUE(one->upstream->AwaitAsked(2));
  one->upstream->Answer(1, "another");
  EXPECT_EQ(third->message(), "another");
  EXPECT_FALSE(third->reply().cache_status.stored);

  server_.Start();
  ASSERT_TRUE(one->AwaitUp());
  Bring(*one, "again");
}

TEST_F(SharedSourceTest, ARedisThatDoesNotAnswerIsNotWaitedForLong) {
  const auto replica =
      NewReplica({}, {.command_timeout = absl::Milliseconds(6), .timeouts_until_down = 1000});
  server_.Pause();
  const auto asked = replica->Ask(QueryFor(1));
  ASSERT_TRUE(replica->upstream->AwaitAsked(1));
  replica->upstream->Answer(0, "capture");
  EXPECT_EQ(asked->message(), "capture");
  EXPECT_GE(replica->source->redis_stats().timeouts.Value(), 1u);
  server_.Continue();
}

TEST_F(SharedSourceTest, AFullRedisHoldsUpNobody) {
  const auto replica = NewReplica();
  server_.Cli({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  server_.Cli({"CONFIG", "SET", "maxmemory", "1"});
  for (int i = 0; i < 3; ++i) {
    const auto asked = replica->Ask(QueryFor(i));
    ASSERT_TRUE(replica->upstream->AwaitAsked(i + 1));
    replica->upstream->Answer(i, "capture");
    EXPECT_EQ(asked->message(), "capture");
  }
  EXPECT_GE(replica->source->redis_stats().errors.Value(), 1u);
  EXPECT_EQ(replica->source->stats().stores.Value(), 0u);
  EXPECT_FALSE(replica->source->redis_stats().up);
}

// What Redis took is called stored, and nothing else.
TEST_F(SharedSourceTest, WhatAReplicaOfRedisRefusesIsNotCalledStored) {
  const auto replica = NewReplica();
  for (const Stage stage : {Stage::kFinal, Stage::kMoving}) {
    server_.Cli({"REPLICAOF", "NO", "ONE"});
    ASSERT_TRUE(replica->AwaitUp());
    const size_t number = replica->upstream->asked();
    const auto asked = replica->Ask(QueryFor(static_cast<int>(number)));
    ASSERT_TRUE(replica->upstream->AwaitAsked(number + 1));
    server_.Cli({"REPLICAOF", "127.0.0.1", "1"});
    replica->upstream->Answer(number, "capture", stage);
    EXPECT_EQ(asked->message(), "capture");
    EXPECT_FALSE(asked->reply().cache_status.stored);
    EXPECT_EQ(asked->reply().cache_status.ttl, std::nullopt);
    EXPECT_TRUE(Until([&] { return !replica->source->redis_stats().up; }));
  }
  EXPECT_EQ(replica->source->stats().stores.Value(), 0u);
}

// A lock that can be taken and not be given back would hold up everybody else.
TEST_F(SharedSourceTest, AUserWithoutScriptsHoldsUpNobody) {
  server_.Cli({"ACL", "SETUSER", "lame", "on", ">pw", "~*", "+@all"});
  RedisOptions redis;
  redis.url = *RedisUrlFrom("unix://lame:pw@" + server_.socket());
  const auto one = NewReplica({}, redis), other = NewReplica({}, redis);
  server_.Cli({"ACL", "SETUSER", "lame", "-@scripting"});
  const auto first = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  one->upstream->Answer(0, "capture");  // stored in vain
  EXPECT_EQ(first->message(), "capture");
  EXPECT_FALSE(one->source->redis_stats().up);
  // The other one is still up, and finds the lock that could not be given back.
  const auto second = other->Ask(QueryFor(2));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "another");
  EXPECT_EQ(second->message(), "another");
  const auto third = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(2));
  other->upstream->Answer(1, "capture");
  EXPECT_EQ(third->message(), "capture");
}

TEST_F(SharedSourceTest, ALockThatWasTakenWhenRedisBecameFullIsGivenBack) {
  const auto one = NewReplica(), other = NewReplica();
  one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  server_.Cli({"CONFIG", "SET", "maxmemory", "1"});
  one->upstream->Answer(0, "capture");
  EXPECT_TRUE(Until([&] { return server_.Cli({"DBSIZE"}) == "0"; }));
}

TEST_F(SharedSourceTest, WhatIsNoEntryOfOursIsAMissAndGoes) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "capture");
  const std::string name = Entries().at(0);
  const std::string good = server_.Cli({"GET", name});
  std::string changed = good;
  changed.back() ^= 1;
  const std::string bad[] = {"F", changed, good.substr(0, good.size() - 1), "nonsense",
                             std::string(100'000, 'F')};
  for (size_t i = 0; i < std::size(bad); ++i) {
    server_.Cli({"SET", name, bad[i]});
    const auto asked = other->Ask(QueryFor(1));
    ASSERT_TRUE(other->upstream->AwaitAsked(i + 1));
    other->upstream->Answer(i, "mended", Stage::kMoving);
    EXPECT_EQ(asked->message(), "mended");
    EXPECT_EQ(other->source->stats().corrupt.Value(), i + 1);
    // A mark that was forged does not keep a true entry out.
    ASSERT_TRUE(Until([&] { return server_.Cli({"GET", name})[0] == kMovingMark; }));
  }
}

TEST_F(SharedSourceTest, AKeyOfAnotherTypeHoldsUpNobody) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "capture");
  const std::string name = Entries().at(0);
  server_.Cli({"DEL", name});
  server_.Cli({"LPUSH", name, "odd"});
  const auto asked = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "capture");
  EXPECT_EQ(asked->message(), "capture");
  ASSERT_TRUE(Until([&] { return server_.Cli({"TYPE", name}) == "string"; }));
  EXPECT_EQ(other->source->stats().corrupt.Value(), 1u);
}

// Of one that is too long, no more is read than an entry may have.
TEST_F(SharedSourceTest, AnEntryThatIsTooLongIsAMissAndGoes) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "capture");
  const std::string name = Entries().at(0);
  server_.Cli({"SETRANGE", name, "20000000", "x"});
  const auto asked = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "mended", Stage::kMoving);
  EXPECT_EQ(asked->message(), "mended");
  EXPECT_EQ(other->source->stats().corrupt.Value(), 1u);
  EXPECT_EQ(other->source->redis_stats().connections.Value(), 0u);
  ASSERT_TRUE(Until([&] { return server_.Cli({"STRLEN", name}).size() < 5; }));
  // One that comes while a question is asked keeps no true one out for longer than that.
  const auto again = other->Ask(QueryFor(1, absl::ZeroDuration()));
  ASSERT_TRUE(other->upstream->AwaitAsked(2));
  server_.Cli({"SET", name, "F"});
  server_.Cli({"SETRANGE", name, "20000000", "x"});
  other->upstream->Answer(1, "again", Stage::kMoving);
  EXPECT_EQ(again->message(), "again");
  ASSERT_TRUE(Until([&] { return server_.Cli({"EXISTS", name}) == "0"; }));
  EXPECT_EQ(other->source->redis_stats().connections.Value(), 0u);
}

TEST_F(SharedSourceTest, ALockThatNeverEndsHoldsUpOneQuestionAlone) {
  const auto one = NewReplica({.lock_time = absl::Milliseconds(50)});
  Bring(*one, "capture");
  const std::string name = Entries().at(0);
  server_.Cli({"DEL", name});
  server_.Cli({"SET", name + ":lock", "for ever"});
  const auto asked = one->Ask(QueryFor(1));
  ASSERT_TRUE(Until([&] { return one->source->stats().waits.Value() == 1; }));
  clock_.Advance(absl::Milliseconds(51));
  ASSERT_TRUE(one->upstream->AwaitAsked(2));
  one->upstream->Answer(1, "capture");
  EXPECT_EQ(asked->message(), "capture");
  ASSERT_TRUE(Until([&] { return server_.Cli({"EXISTS", name + ":lock"}) == "0"; }));
}

TEST_F(SharedSourceTest, AnEntryUnderAnothersNameIsAMiss) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "capture");
  Query query = QueryFor(1);
  query.credential = TestCredential("another");
  server_.Cli({"COPY", Entries().at(0), EntryName(query, "")});
  const auto asked = other->Ask(query);
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "its own");
  EXPECT_EQ(asked->message(), "its own");
  EXPECT_EQ(other->source->stats().corrupt.Value(), 1u);
}

TEST_F(SharedSourceTest, CredentialsAndVariantsShareNothing) {
  const auto one = NewReplica({.variant = "hidden"}), other = NewReplica({.variant = "shown"});
  Bring(*one, "capture");
  const auto of_the_other_variant = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  Query query = QueryFor(1);
  query.credential = TestCredential("another");
  const auto of_the_other_credential = one->Ask(query);
  ASSERT_TRUE(one->upstream->AwaitAsked(2));
  other->upstream->Answer(0, "a");
  one->upstream->Answer(1, "b");
  EXPECT_EQ(of_the_other_variant->message(), "a");
  EXPECT_EQ(of_the_other_credential->message(), "b");
}

TEST_F(SharedSourceTest, RedisSeesNeitherCredentialsNorIds) {
  const auto replica = NewReplica();
  Bring(*replica, "capture");
  const Query query = QueryFor(1);
  const std::string seen = Entries().at(0) + server_.Cli({"GET", Entries().at(0)});
  for (const std::string& secret :
       {std::string("test-token"), query.account.ToString(), query.resource.ToString(),
        std::string(query.credential->partition().begin(), query.credential->partition().end())}) {
    EXPECT_THAT(seen, Not(HasSubstr(secret)));
  }
}

TEST_F(SharedSourceTest, AFinalEntryStaysFinal) {
  const auto one = NewReplica(), other = NewReplica();
  // The other one has looked, and found nothing, when the first one stores the end.
  const auto late = other->Ask(QueryFor(1, absl::ZeroDuration()));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  Bring(*one, "the end");
  other->upstream->Answer(0, "before the end", Stage::kMoving);
  EXPECT_EQ(late->message(), "the end");
  EXPECT_EQ(NewReplica()->Ask(QueryFor(1))->message(), "the end");
}

TEST_F(SharedSourceTest, WhoIsToldOfTheEndIsNotToldOfAnythingBefore) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "the end");
  const auto asked = other->Ask(QueryFor(1, absl::ZeroDuration()));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  const absl::Time asked_at = clock_.Now();
  clock_.Advance(absl::Seconds(1));
  other->upstream->Answer(0, "before the end", Stage::kMoving);
  EXPECT_EQ(asked->message(), "the end");
  EXPECT_EQ(asked->reply().outcome->as_of, asked_at);
  EXPECT_EQ(other->source->stats().confirmed.Value(), 1u);
}

TEST_F(SharedSourceTest, MaxAge0AsksAnewAndWaitsForNobody) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "capture");
  one->Ask(QueryFor(2));
  ASSERT_TRUE(one->upstream->AwaitAsked(2));
  for (int resource = 1; resource <= 2; ++resource) {
    const auto asked = other->Ask(QueryFor(resource, absl::ZeroDuration()));
    ASSERT_TRUE(other->upstream->AwaitAsked(resource));
    other->upstream->Answer(resource - 1, "newer");
    EXPECT_EQ(asked->message(), "newer");
  }
  EXPECT_EQ(other->source->stats().waits.Value(), 0u);
  one->upstream->Answer(1, "capture");
}

TEST_F(SharedSourceTest, AnEntryOlderThanMaxAgeIsAMiss) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "capture");
  EXPECT_EQ(other->Ask(QueryFor(1, absl::Hours(1)))->message(), "capture");
  const auto asked = other->Ask(QueryFor(1, absl::Nanoseconds(1)));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "newer");
  EXPECT_EQ(asked->message(), "newer");
  EXPECT_EQ(asked->reply().cache_status.how, How::kRequest);
}

constexpr FreshnessPolicy kStaleAtOnce{.moving_lifetime = absl::Microseconds(1),
                                       .longest_moving_lifetime = absl::Microseconds(1)};

TEST_F(SharedSourceTest, WhatIsStaleIsGivenWhenAskingFails) {
  const auto one = NewReplica({.freshness = kStaleAtOnce});
  const auto other = NewReplica({.freshness = kStaleAtOnce});
  Bring(*one, "stale", Stage::kMoving);
  const auto asked = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Fail(0, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(asked->message(), "stale");
  EXPECT_TRUE(asked->reply().cache_status.stale_if_error);
  EXPECT_EQ(asked->reply().cache_status.forward_status, 503);
  EXPECT_EQ(asked->reply().cache_status.how, How::kStale);
  EXPECT_LT(*asked->reply().cache_status.ttl, absl::ZeroDuration());
}

TEST_F(SharedSourceTest, WhatIsStaleIsNotGivenToWhoAcceptsNoneNorInsteadOfARefusal) {
  const auto one = NewReplica({.freshness = kStaleAtOnce});
  const auto other = NewReplica({.freshness = kStaleAtOnce});
  Bring(*one, "stale", Stage::kMoving);
  const auto insisting = other->Ask(QueryFor(1, absl::ZeroDuration()));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Fail(0, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(insisting->message(), "none");
  const auto refused = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(2));
  other->upstream->Fail(1, absl::StatusCode::kInvalidArgument, Reason::kUpstreamBadRequest, 400);
  EXPECT_EQ(refused->message(), "none");
}

TEST_F(SharedSourceTest, NoReplicaIsGivenWhatWasKeptForACredentialBeforeItWasRejected) {
  const auto one = NewReplica(), other = NewReplica();
  for (int capture = 1; capture <= 3; ++capture) EXPECT_FALSE(IsHit(*one, InAccount(1, capture)));
  EXPECT_FALSE(IsHit(*one, InAccount(2, 4)));
  Query strangers = InAccount(1, 1);
  strangers.credential = TestCredential("another");
  EXPECT_FALSE(IsHit(*one, strangers));
  EXPECT_TRUE(IsHit(*other, InAccount(1, 1)));

  Refuse(*one, InAccount(1, 9), Denies::kEverything);
  EXPECT_FALSE(IsHit(*other, InAccount(1, 1)));
  EXPECT_FALSE(IsHit(*one, InAccount(1, 2)));
  EXPECT_FALSE(IsHit(*other, InAccount(2, 4)));
  EXPECT_TRUE(IsHit(*other, strangers));
  // What was asked for since is as good as ever.
  EXPECT_TRUE(IsHit(*one, InAccount(1, 1)));
  EXPECT_TRUE(IsHit(*other, InAccount(1, 2)));
  EXPECT_FALSE(IsHit(*other, InAccount(1, 3)));
}

TEST_F(SharedSourceTest, ADeniedAccountTakesWhatWasKeptOfItAndNothingElse) {
  const auto one = NewReplica(), other = NewReplica();
  for (int account = 1; account <= 2; ++account) EXPECT_FALSE(IsHit(*one, InAccount(account, 1)));
  Refuse(*one, InAccount(1, 9), Denies::kAccount);
  EXPECT_FALSE(IsHit(*other, InAccount(1, 1)));
  EXPECT_TRUE(IsHit(*other, InAccount(2, 1)));
}

TEST_F(SharedSourceTest, WhoIsAnsweredIsToldOfTheDenialsOfOthers) {
  const auto one = NewReplica(), other = NewReplica();
  EXPECT_FALSE(IsHit(*one, InAccount(1, 1)));
  EXPECT_EQ(other->Ask(InAccount(1, 1))->reply().denied.everything, absl::InfinitePast());
  Refuse(*one, InAccount(1, 9), Denies::kEverything);
  Refuse(*one, InAccount(1, 9), Denies::kAccount);
  EXPECT_FALSE(IsHit(*one, InAccount(1, 1)));
  const auto asked = other->Ask(InAccount(1, 1));
  const Denied denied = asked->reply().denied;
  EXPECT_NE(denied.everything, absl::InfinitePast());
  EXPECT_NE(denied.account, absl::InfinitePast());
  EXPECT_LE(denied.everything, clock_.Now());
  EXPECT_LE(denied.account, clock_.Now());
  // What came with it counts.
  EXPECT_LE(denied.everything, asked->reply().outcome->as_of);
  EXPECT_LE(denied.account, asked->reply().outcome->as_of);
  EXPECT_TRUE(asked->reply().cache_status.shared);
}

TEST_F(SharedSourceTest, WhatIsVoidIsNotGivenWhenAskingFails) {
  const auto one = NewReplica({.freshness = kStaleAtOnce});
  const auto other = NewReplica({.freshness = kStaleAtOnce});
  Bring(*one, "stale", Stage::kMoving);
  Refuse(*one, QueryFor(9), Denies::kEverything);
  const auto asked = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Fail(0, absl::StatusCode::kUnavailable, Reason::kUpstreamUnavailable, 503);
  EXPECT_EQ(asked->message(), "none");
}

// It comes with 200, which else calls for a stale answer.
TEST_F(SharedSourceTest, ARejectionInA200IsOneToo) {
  const auto one = NewReplica({.freshness = kStaleAtOnce});
  Bring(*one, "stale", Stage::kMoving);
  const auto asked = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(2));
  one->upstream->Fail(1, absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected, 200,
                      Denies::kEverything);
  EXPECT_EQ(asked->message(), "none");
}

TEST_F(SharedSourceTest, WhatWasFinalBeforeADenialMayMoveAfterIt) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "the end");
  Refuse(*one, QueryFor(9), Denies::kEverything);
  const auto asked = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "moves", Stage::kMoving);
  EXPECT_EQ(asked->message(), "moves");
  EXPECT_EQ(one->Ask(QueryFor(1))->message(), "moves");
}

TEST_F(SharedSourceTest, WhereAStandingIsGoneOrSpoiltNothingCountsUntilItIsAskedForAnew) {
  const auto one = NewReplica(), other = NewReplica();
  const Query query = InAccount(1, 1);
  const std::string names[] = {StandingName(*query.credential),
                               StandingName(*query.credential, query.account)};
  const std::string other_digit =
      "local is = redis.call('GETRANGE', KEYS[1], 18, 18) "
      "return redis.call('SETRANGE', KEYS[1], 18, is == '9' and '8' or '9')";
  uint64_t corrupt = 0;
  for (const std::string& name : names) {
    for (const std::vector<std::string>& spoil : {std::vector<std::string>{"DEL", name},
                                                  {"SET", name, "x"},
                                                  // Another digit, whichever it is.
                                                  {"EVAL", other_digit, "1", name},
                                                  {"SET", name, std::string(100'000, '9')}}) {
      EXPECT_FALSE(IsHit(*one, query));
      EXPECT_TRUE(IsHit(*other, query));
      server_.Cli(spoil);
      if (spoil[0] != "DEL") ++corrupt;
      EXPECT_FALSE(IsHit(*other, query));
      EXPECT_TRUE(IsHit(*one, query));
      EXPECT_EQ(other->source->stats().corrupt.Value(), corrupt);
      server_.Cli({"FLUSHALL"});
    }
    // Redis tells of another type as it does of nothing.
    server_.Cli({"DEL", name});
    server_.Cli({"LPUSH", name, "odd"});
    EXPECT_FALSE(IsHit(*one, query));
    EXPECT_TRUE(IsHit(*other, query));
    server_.Cli({"FLUSHALL"});
  }
}

// Redis was away, and has kept what it held.
TEST_F(SharedSourceTest, ADenialThatRedisMissedCountsHereAndIsToldLater) {
  const auto one = NewReplica({}, {.command_timeout = absl::Milliseconds(50)}),
             other = NewReplica();
  for (int capture = 1; capture <= 2; ++capture) EXPECT_FALSE(IsHit(*one, InAccount(1, capture)));
  ASSERT_TRUE(LoseRedis(*one));
  Refuse(*one, InAccount(1, 9), Denies::kEverything);
  server_.Continue();
  ASSERT_TRUE(one->AwaitUp());
  EXPECT_FALSE(IsHit(*one, InAccount(1, 1)));
  EXPECT_FALSE(IsHit(*other, InAccount(1, 2)));
  EXPECT_TRUE(IsHit(*other, InAccount(1, 1)));
}

// Redis hears of it once it has answered the first one; the second one has asked by then.
TEST_F(SharedSourceTest, ADenialThatRedisMissedCountsForAllWhoAskWhenItIsBack) {
  const auto one = NewReplica({}, {.command_timeout = absl::Milliseconds(500)});
  for (int capture = 1; capture <= 2; ++capture) EXPECT_FALSE(IsHit(*one, InAccount(1, capture)));
  ASSERT_TRUE(LoseRedis(*one));
  Refuse(*one, InAccount(1, 9), Denies::kEverything);
  server_.Continue();
  ASSERT_TRUE(one->AwaitUp());
  const size_t asked = one->upstream->asked();
  decltype(one->Ask(InAccount(1, 1))) first, second;
  std::promise<void> both;
  one->loop->Post([&] {  // so that no answer comes in between
    first = one->Ask(InAccount(1, 1));
    second = one->Ask(InAccount(1, 2));
    both.set_value();
  });
  both.get_future().wait();
  EXPECT_TRUE(one->upstream->AwaitAsked(asked + 2));
  for (size_t number = asked; number < one->upstream->asked(); ++number) {
    one->upstream->Answer(number, "since");
  }
  EXPECT_EQ(first->message(), "since");
  EXPECT_EQ(second->message(), "since");
}

TEST_F(SharedSourceTest, ADenialThatAFullRedisRefusesCountsAllTheSame) {
  const auto one = NewReplica(), other = NewReplica();
  EXPECT_FALSE(IsHit(*one, InAccount(1, 1)));
  EXPECT_TRUE(IsHit(*other, InAccount(1, 1)));
  server_.Cli({"CONFIG", "SET", "maxmemory", "1"});
  Refuse(*one, InAccount(1, 9), Denies::kEverything);
  EXPECT_FALSE(IsHit(*other, InAccount(1, 1)));
  EXPECT_FALSE(IsHit(*one, InAccount(1, 1)));
  EXPECT_LT(one->source->redis_stats().errors.Value(), 10u);
}

TEST_F(SharedSourceTest, StrangersThatAreRejectedLeaveNothingInRedisForLong) {
  const auto one = NewReplica();
  for (int i = 0; i < 20; ++i) {
    Query query = QueryFor(1);
    query.credential = TestCredential("stranger-" + std::to_string(i / 2));
    Refuse(*one, query, i % 4 < 2 ? Denies::kEverything : Denies::kAccount);
  }
  EXPECT_THAT(Names(), SizeIs(10));
  for (const std::string& name : Names()) {
    EXPECT_LE(std::stoi(server_.Cli({"TTL", name})), 120) << name;
  }
}

TEST_F(SharedSourceTest, AStandingLivesAsLongAsAnyEntryUnderIt) {
  const auto one = NewReplica();
  Refuse(*one, QueryFor(9), Denies::kEverything);
  Bring(*one, "capture");
  const int entry = std::stoi(server_.Cli({"TTL", Entries().at(0)}));
  const Query query = QueryFor(1);
  for (const std::string& name :
       {StandingName(*query.credential), StandingName(*query.credential, query.account)}) {
    EXPECT_GE(std::stoi(server_.Cli({"TTL", name})), entry) << name;
  }
  // A rejection does not make it shorter.
  Refuse(*one, QueryFor(9), Denies::kEverything);
  EXPECT_GE(std::stoi(server_.Cli({"TTL", StandingName(*query.credential)})), entry);
}

TEST_F(SharedSourceTest, A404IsSharedToo) {
  const auto one = NewReplica(), other = NewReplica();
  const auto asked = one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  one->upstream->Fail(0, absl::StatusCode::kNotFound, Reason::kPcapNotFound, 404);
  EXPECT_EQ(asked->message(), "none");
  const auto shared = other->Ask(QueryFor(1));
  EXPECT_EQ(shared->reply().outcome->error->reason, Reason::kPcapNotFound);
  EXPECT_TRUE(shared->reply().cache_status.shared);
}

TEST_F(SharedSourceTest, OnlyIfCachedLooksIntoRedisToo) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "capture");
  Query query = QueryFor(1);
  query.only_if_cached = true;
  EXPECT_EQ(other->Ask(query)->message(), "capture");
  query.resource = NumberedId(2);
  const auto asked = other->Ask(query);
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  EXPECT_TRUE(other->upstream->query(0).only_if_cached);  // which refuses it
  other->upstream->Fail(0, absl::StatusCode::kFailedPrecondition, Reason::kNotCached, 0);
  EXPECT_EQ(asked->message(), "none");
}

// Redis' clock was set back.
TEST_F(SharedSourceTest, AnEntryFromTheFutureIsAMiss) {
  const auto replica = NewReplica();
  const Query query = QueryFor(1);
  const std::string name = EntryName(query, "");
  const OutcomePtr outcome = MakeOutcome(clock_.Now(), "future", Stage::kFinal);
  server_.Cli({"SET", name,
               SealedEntry(*outcome, absl::Now() + absl::Hours(1), absl::Hours(9), name,
                           *query.credential)});
  const auto asked = replica->Ask(query);
  ASSERT_TRUE(replica->upstream->AwaitAsked(1));
  replica->upstream->Answer(0, "present");
  EXPECT_EQ(asked->message(), "present");
}

TEST_F(SharedSourceTest, AWriteIsPassedOn) {
  const auto replica = NewReplica();
  const auto one = replica->Ask(WriteOf(1)), other = replica->Ask(WriteOf(1));
  ASSERT_TRUE(replica->upstream->AwaitAsked(2));
  replica->upstream->Answer(0, "one");
  replica->upstream->Answer(1, "other");
  EXPECT_EQ(one->message(), "one");
  EXPECT_EQ(other->message(), "other");
  EXPECT_FALSE(one->reply().cache_status.stored);
}

TEST_F(SharedSourceTest, WhoLeavesWhatIsPassedOnEndsIt) {
  const auto replica = NewReplica();
  const auto asked = replica->Ask(WriteOf(1));
  ASSERT_TRUE(replica->upstream->AwaitAsked(1));
  asked->ticket.Cancel();
  EXPECT_EQ(asked->reply().outcome->error->reason, Reason::kCancelled);
  EXPECT_TRUE(replica->upstream->cancelled(0));
}

// Redis is slow, so that the write is still to be sent.
TEST_F(SharedSourceTest, WhoLeavesBeforeAWriteIsSentOutdatesNothing) {
  const auto one = NewReplica(), other = NewReplica();
  server_.Pause();
  const auto write = one->Ask(WriteOf(1));
  write->ticket.Cancel();
  one->loop->Run([] {});  // it has heard of that
  server_.Continue();
  EXPECT_EQ(write->reply().outcome->error->reason, Reason::kCancelled);
  EXPECT_EQ(one->upstream->asked(), 0u);
  EXPECT_FALSE(IsHit(*other, QueryFor(1)));
  EXPECT_TRUE(IsHit(*one, QueryFor(1)));
}

TEST_F(SharedSourceTest, AfterAWriteNoReplicaIsToldWhatWasBefore) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "before");
  EXPECT_EQ(other->Ask(QueryFor(1))->message(), "before");
  Write(*one);
  EXPECT_FALSE(IsHit(*other, QueryFor(1)));
  EXPECT_TRUE(IsHit(*one, QueryFor(1)));
}

// By a replica that was slow.
TEST_F(SharedSourceTest, WhatWasAskedForBeforeAWriteIsNotStoredAfterIt) {
  const auto one = NewReplica(), other = NewReplica();
  const auto slow = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  Write(*one);
  other->upstream->Answer(0, "as it was");
  EXPECT_EQ(slow->message(), "as it was");
  EXPECT_FALSE(slow->reply().cache_status.stored);
  EXPECT_FALSE(IsHit(*one, QueryFor(1)));
}

// Who may see the capture sees what is written, too.
TEST_F(SharedSourceTest, AWriteOutdatesWhatOtherCredentialsHold) {
  const auto one = NewReplica(), other = NewReplica();
  Query another = QueryFor(1);
  another.credential = TestCredential("another");
  EXPECT_FALSE(IsHit(*other, another));
  EXPECT_TRUE(IsHit(*one, another));
  Write(*one);
  EXPECT_FALSE(IsHit(*other, another));
  EXPECT_TRUE(IsHit(*one, another));
}

// It forgets when the write was; a replica that was slow then stores what was before.
TEST_F(SharedSourceTest, AWriteThatRedisForgetsCountsHere) {
  const auto one = NewReplica(), other = NewReplica();
  const auto slow = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  Write(*one);
  server_.Cli({"FLUSHALL"});
  other->upstream->Answer(0, "as it was");
  EXPECT_TRUE(slow->reply().cache_status.stored);
  EXPECT_FALSE(IsHit(*one, QueryFor(1)));
  EXPECT_TRUE(IsHit(*one, QueryFor(1)));
  EXPECT_EQ(other->Ask(QueryFor(1))->message(), "asked for anew");
}

TEST_F(SharedSourceTest, ADenialThatRedisForgetsCountsHere) {
  for (const Denies denies : {Denies::kEverything, Denies::kAccount}) {
    const auto one = NewReplica(), other = NewReplica();
    const auto slow = other->Ask(QueryFor(1));
    ASSERT_TRUE(other->upstream->AwaitAsked(1));
    Refuse(*one, QueryFor(2), denies);
    server_.Cli({"FLUSHALL"});
    other->upstream->Answer(0, "as it was");
    EXPECT_TRUE(slow->reply().cache_status.stored);
    EXPECT_FALSE(IsHit(*one, QueryFor(1)));
    EXPECT_TRUE(IsHit(*one, QueryFor(1)));
    EXPECT_EQ(other->Ask(QueryFor(1))->message(), "asked for anew");
    server_.Cli({"FLUSHALL"});
  }
}

// The replica that told it notices with its next look, before the slow one stores.
TEST_F(SharedSourceTest, AWriteThatRedisForgetsItIsToldAgain) {
  const auto one = NewReplica(), other = NewReplica();
  const auto slow = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  Write(*one);
  server_.Cli({"FLUSHALL"});
  LookFor(*one, 1);
  other->upstream->Answer(0, "as it was");
  EXPECT_EQ(slow->message(), "as it was");
  EXPECT_FALSE(IsHit(*other, QueryFor(1)));
}

TEST_F(SharedSourceTest, ADenialThatRedisForgetsItIsToldAgain) {
  for (const Denies denies : {Denies::kEverything, Denies::kAccount}) {
    const auto one = NewReplica(), other = NewReplica();
    const auto slow = other->Ask(QueryFor(1));
    ASSERT_TRUE(other->upstream->AwaitAsked(1));
    Refuse(*one, QueryFor(2), denies);
    server_.Cli({"FLUSHALL"});
    LookFor(*one, 3);
    other->upstream->Answer(0, "as it was");
    EXPECT_EQ(slow->message(), "as it was");
    EXPECT_FALSE(IsHit(*other, QueryFor(1)));
    server_.Cli({"FLUSHALL"});
  }
}

// Nobody knows whether it saw what is being written.
TEST_F(SharedSourceTest, WhatIsAskedForDuringAWriteIsNotStored) {
  const auto one = NewReplica(), other = NewReplica();
  const auto write = one->Ask(WriteOf(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  const auto during = other->Ask(QueryFor(1));
  ASSERT_TRUE(other->upstream->AwaitAsked(1));
  other->upstream->Answer(0, "as it was");
  EXPECT_EQ(during->message(), "as it was");
  EXPECT_FALSE(during->reply().cache_status.stored);
  one->upstream->Answer(0, "written");
  EXPECT_EQ(write->message(), "written");
  EXPECT_FALSE(IsHit(*one, QueryFor(1)));
  EXPECT_TRUE(IsHit(*other, QueryFor(1)));
}

TEST_F(SharedSourceTest, WhoIsDeniedAWriteIsDeniedEverywhere) {
  const auto one = NewReplica(), other = NewReplica();
  Bring(*one, "before");
  const auto write = one->Ask(WriteOf(2));
  ASSERT_TRUE(one->upstream->AwaitAsked(2));
  one->upstream->Fail(1, absl::StatusCode::kInternal, Reason::kUpstreamCredentialsRejected, 401,
                      Denies::kEverything);
  EXPECT_EQ(write->message(), "none");
  EXPECT_FALSE(IsHit(*other, QueryFor(1)));
}

TEST_F(SharedSourceTest, AWriteNeedsNoRedis) {
  const auto replica = NewReplica();
  server_.Kill();
  ASSERT_TRUE(Until([&] { return !replica->source->redis_stats().up.load(); }));
  Write(*replica);
}

// It held what was before all the while.
TEST_F(SharedSourceTest, ARedisThatWasAwayDuringAWriteIsToldAfterIt) {
  const auto one = NewReplica({}, {.command_timeout = absl::Milliseconds(200)});
  const auto other = NewReplica();
  Bring(*one, "before");
  ASSERT_TRUE(LoseRedis(*one));
  Write(*one);
  server_.Continue();
  ASSERT_TRUE(one->AwaitUp());
  ASSERT_TRUE(other->AwaitUp());
  EXPECT_EQ(other->Ask(QueryFor(1))->message(), "before");  // nobody could tell it
  EXPECT_FALSE(IsHit(*one, QueryFor(1)));
  EXPECT_TRUE(IsHit(*other, QueryFor(1)));
  EXPECT_NE(other->Ask(QueryFor(1))->message(), "before");
}

TEST_F(SharedSourceTest, StoppingPassesOnWhatIsOpen) {
  auto one = NewReplica(), other = NewReplica();
  one->Ask(QueryFor(1));
  ASSERT_TRUE(one->upstream->AwaitAsked(1));
  const auto second = other->Ask(QueryFor(1));
  ASSERT_TRUE(Until([&] { return other->source->stats().waits.Value() == 1; }));
  other->source->Stop();
  ASSERT_EQ(other->upstream->asked(), 1u);
  other->upstream->Answer(0, "capture");
  EXPECT_EQ(second->message(), "capture");
  one->Stop();
  one->upstream->Answer(0, "capture");
}

}  // namespace
}  // namespace pcap_gateway
