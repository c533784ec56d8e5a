// Two gateways' caches over one Redis and one upstream, all of which misbehave, under random calls:
// whatever callers are told is checked against what the upstream had said (call_history.h).
//
// Real time, real threads, lifetimes of milliseconds. HISTORY_SEED and HISTORY_OPERATIONS in the
// environment set what they say; the threads' order stays up to chance.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <iostream>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/clock.h"
#include "service/cache/caching_source.h"
#include "service/shared/redis_client.h"
#include "service/shared/shared_source.h"
#include "tests/history/call_history.h"
#include "tests/history/chaos.h"
#include "tests/history/environment.h"
#include "tests/history/simulated_upstream.h"
#include "tests/support/queries.h"
#include "tests/support/redis_server.h"

namespace pcap_gateway {
namespace {

constexpr int kGateways = 2;
constexpr int kCallers = 16;

FreshnessPolicy Policy() {
  return {.final_lifetime = absl::Seconds(20),
          .moving_lifetime = absl::Milliseconds(5),
          .longest_moving_lifetime = absl::Milliseconds(20),
          .not_found_lifetime = absl::Milliseconds(5),
          .stale_while_revalidate = absl::Milliseconds(5),
          .stale_if_error = absl::Milliseconds(20)};
}

struct Gateway {
  Gateway(int number, SimulatedUpstream& upstream, const RedisServer& redis,
          const FreshnessPolicy& policy, const Clock& clock) {
    auto client = RedisClient::Start(
        *loop, {.url = *RedisUrlFrom(redis.url()), .reconnect_after = absl::Milliseconds(5)});
    auto owned = std::make_unique<SharedSource>(
        upstream.Connect(number), std::move(client),
        SharedOptions{.freshness = policy, .lock_time = absl::Milliseconds(100)}, clock);
    shared = owned.get();
    source = std::make_unique<CachingSource>(
        upstream.Tap(std::move(owned), number),
        CacheOptions{.most_bytes = 64 << 20, .freshness = policy}, clock);
  }

  std::unique_ptr<EventLoop> loop = *EventLoop::Start();
  SharedSource* shared;
  std::unique_ptr<CachingSource> source;
};

// Each credential meets other faults, so that each rule holds without an exception: who was told
// 401 or 404 in between may be told anything after.
std::shared_ptr<const Credential> CredentialNumber(int number) {
  static const std::shared_ptr<const Credential> credentials[] = {
      TestCredential("lagging"), TestCredential("forgetful"), TestCredential("revoked")};
  return credentials[number];
}

Faults FaultsOf(const Key& key) {
  if (key.partition == CredentialNumber(0)->partition()) {
    return {.unavailable = 0.1, .lagging = 0.2, .stalled = 0.02};
  }
  if (key.partition == CredentialNumber(1)->partition()) {
    return {.unavailable = 0.1, .not_found = 0.1, .stalled = 0.02};
  }
  return {.unavailable = 0.1, .unauthorized = 0.005, .forbidden = 0.01, .stalled = 0.02};
}

// One caller after the other of one thread.
class Caller {
 public:
  // All outlive it.
  Caller(uint64_t seed, int gateway, Source& source, const Clock& clock, CallHistory& history)
      : random_(seed), gateway_(gateway), source_(source), clock_(clock), history_(history) {}

  // `number`: of the call among those of all callers. Captures come and go with it.
  void Call(uint64_t number) {
    Query query = QueryFor(static_cast<int>(number / 300 + Draw(15)), MaxAge());
    query.credential = CredentialNumber(static_cast<int>(Draw(3)));
    query.account = NumberedId(static_cast<int>(1 + Draw(2)));
    query.only_if_cached = Draw(50) == 0;
    CallRecord record = {.gateway = gateway_,
                         .key = AskedFor(query),
                         .max_age = query.max_age,
                         .came = clock_.Now()};
    if (std::optional<Reply> reply = source_.AtHand(query)) {
      record.reply = *std::move(reply);
    } else {
      std::promise<Reply> promise;
      Ticket ticket = source_.Ask(std::move(query),
                                  [&promise](Reply reply) { promise.set_value(std::move(reply)); });
      if (Draw(20) == 0) ticket.Cancel();
      record.reply = promise.get_future().get();
    }
    record.ended = clock_.Now();
    history_.Add(record);
  }

 private:
  uint64_t Draw(uint64_t below) { return random_() % below; }

  absl::Duration MaxAge() {
    constexpr absl::Duration kAges[] = {absl::InfiniteDuration(), absl::InfiniteDuration(),
                                        absl::ZeroDuration(),     absl::Milliseconds(1),
                                        absl::Milliseconds(3),    absl::Milliseconds(10),
                                        absl::Milliseconds(50),   absl::Seconds(1)};
    return kAges[Draw(std::size(kAges))];
  }

  std::mt19937_64 random_;
  const int gateway_;
  Source& source_;
  const Clock& clock_;
  CallHistory& history_;
};

TEST(History, HasNoAnswerTooOldOrRevokedNoStatusGoingBackwardsAndNothingOfAnothersCredential) {
  const uint64_t seed = FromEnvironment("HISTORY_SEED", std::random_device()());
  const uint64_t operations = FromEnvironment("HISTORY_OPERATIONS", HISTORY_OPERATIONS);
  const SteadyWallClock clock;
  const FreshnessPolicy policy = Policy();
  RedisServer redis;
  Chaos chaos(seed, redis);
  SimulatedUpstream upstream(seed, clock, &FaultsOf);
  CallHistory history(upstream, policy);
  uint64_t shared_hits = 0;
  {
    std::vector<Gateway> gateways;
    for (int i = 0; i < kGateways; ++i) gateways.emplace_back(i, upstream, redis, policy, clock);
    std::atomic<uint64_t> next{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kCallers; ++i) {
      const int gateway = i % kGateways;
      threads.emplace_back([&, gateway, seed_of_caller = seed + 1 + i] {
        Caller caller(seed_of_caller, gateway, *gateways[gateway].source, clock, history);
        for (uint64_t number = next++; number < operations; number = next++) {
          chaos.Befall(number);
          caller.Call(number);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    chaos.End();
    for (Gateway& gateway : gateways) {
      gateway.shared->Stop();
      shared_hits += gateway.shared->stats().hits.Value();
    }
    upstream.Stop();
  }
  std::cout << "history: seed " << seed << ", " << operations << " calls, " << upstream.exchanges()
            << " exchanges with the upstream, " << shared_hits
            << " hits in Redis, which was killed " << chaos.kills() << " times, stood still "
            << chaos.pauses() << " times and had " << chaos.spoilt()
            << " values spoilt: " << history.violations() << " violations\n"
            << history;
  EXPECT_EQ(history.violations(), 0) << "HISTORY_SEED=" << seed;
}

}  // namespace
}  // namespace pcap_gateway
