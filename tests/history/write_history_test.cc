// Two gateways that write and read, over one Redis and one upstream, all of which misbehave: what
// is sent how often, and what is told afterwards, is checked (write_history.h).
//
// Real time, real threads. HISTORY_SEED and HISTORY_OPERATIONS in the environment set what they
// say.
#include "tests/history/write_history.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <iostream>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/clock.h"
#include "service/cache/caching_source.h"
#include "service/shared/redis_client.h"
#include "service/shared/shared_source.h"
#include "service/shared/shared_writes.h"
#include "service/writes/write_source.h"
#include "tests/history/chaos.h"
#include "tests/history/environment.h"
#include "tests/history/simulated_upstream.h"
#include "tests/support/queries.h"
#include "tests/support/redis_server.h"

namespace pcap_gateway {
namespace {

constexpr int kGateways = 2;
constexpr int kCallers = 16;

// Long enough for answers from before a write to be there after it.
FreshnessPolicy Policy() {
  return {.final_lifetime = absl::Seconds(20),
          .moving_lifetime = absl::Milliseconds(200),
          .longest_moving_lifetime = absl::Milliseconds(500),
          .not_found_lifetime = absl::Milliseconds(5),
          .stale_while_revalidate = absl::Milliseconds(100),
          .stale_if_error = absl::Milliseconds(500)};
}

struct Gateway {
  Gateway(int number, SimulatedUpstream& upstream, const RedisServer& redis_server,
          const Chaos& chaos, const FreshnessPolicy& policy, const Clock& clock)
      : redis(RedisClient::Start(*loop, {.url = *RedisUrlFrom(redis_server.url()),
                                         .reconnect_after = absl::Milliseconds(5)})),
        writes(redis, "redacted", clock),
        memory(writes, chaos) {
    auto sharing = std::make_unique<SharedSource>(
        upstream.Connect(number), redis,
        SharedOptions{.freshness = policy, .lock_time = absl::Milliseconds(100)}, clock);
    shared = sharing.get();
    auto caching = std::make_unique<CachingSource>(
        std::move(sharing),
        CacheOptions{.most_bytes = 64 << 20, .freshness = policy, .others_write = true}, clock);
    source = std::make_unique<WriteSource>(std::move(caching), *loop, clock,
                                           WriteOptions{.memory = &memory});
  }

  uint64_t RedisFailures() const {
    const RedisStats& stats = redis->stats();
    return stats.timeouts.Value() + stats.connections.Value() + stats.errors.Value() +
           stats.overloads.Value() + stats.skipped.Value();
  }

  std::unique_ptr<EventLoop> loop = *EventLoop::Start();
  std::shared_ptr<RedisClient> redis;
  SharedWrites writes;
  NotedMemory memory;
  SharedSource* shared = nullptr;
  std::unique_ptr<WriteSource> source;
};

// One caller after the other of one thread.
class Caller {
 public:
  // All outlive it.
  Caller(uint64_t seed, int number, Gateway& gateway, const Clock& clock, const Chaos& chaos,
         WriteHistory& history)
      : random_(seed),
        number_(number),
        gateway_(gateway),
        clock_(clock),
        chaos_(chaos),
        history_(history) {}

  // `number`: of the call among those of all callers. Captures come and go with it.
  void Call(uint64_t number) {
    const bool is_write = Draw(6) == 0;
    const int resource = static_cast<int>(number / 300 + Draw(15));
    Query query = is_write ? WriteOf(resource) : QueryFor(resource);
    query.requests_sent = std::make_shared<std::atomic<int>>(0);
    WriteRecord record = {.gateway = number_};
    if (is_write) {
      // Some at the same time give the same name to the same write.
      record.has_name = Draw(3) != 0;
      record.written = record.has_name ? absl::StrCat("named ", number / 40, " of ", resource)
                                       : absl::StrCat("write ", number);
      query.body = std::make_shared<const std::string>(record.written);
      if (record.has_name) query.write_id = record.written;
    }
    record.key = AskedFor(query);
    record.events = chaos_.events();
    if (is_write) history_.Begin(record);
    const uint64_t failures = gateway_.RedisFailures();
    record.came = clock_.Now();
    if (std::optional<Reply> reply = gateway_.source->AtHand(query)) {
      record.reply = *std::move(reply);
    } else {
      std::promise<Reply> promise;
      Ticket ticket = gateway_.source->Ask(
          std::move(query), [&promise](Reply reply) { promise.set_value(std::move(reply)); });
      if (Draw(20) == 0) ticket.Cancel();
      record.reply = promise.get_future().get();
    }
    record.ended = clock_.Now();
    record.was_told = gateway_.RedisFailures() == failures;
    history_.Add(record);
  }

 private:
  uint64_t Draw(uint64_t below) { return random_() % below; }

  std::mt19937_64 random_;
  const int number_;
  Gateway& gateway_;
  const Clock& clock_;
  const Chaos& chaos_;
  WriteHistory& history_;
};

TEST(History, SendsNoWriteTwiceAndShowsNobodyTheWorldBeforeIt) {
  const uint64_t seed = FromEnvironment("HISTORY_SEED", std::random_device()());
  const uint64_t operations = FromEnvironment("HISTORY_OPERATIONS", HISTORY_OPERATIONS);
  const SteadyWallClock clock;
  const FreshnessPolicy policy = Policy();
  RedisServer redis;
  Chaos chaos(seed, redis);
  SimulatedUpstream upstream(seed, clock, [](const Key&) {
    return Faults{.unavailable = 0.1, .stalled = 0.02, .lost = 0.05, .never_ends = true};
  });
  WriteHistory history(upstream, chaos);
  uint64_t shared_hits = 0, repeated = 0, awaited = 0, lost = 0, alone = 0;
  {
    std::vector<std::unique_ptr<Gateway>> gateways;
    gateways.reserve(kGateways);
    for (int i = 0; i < kGateways; ++i) {
      gateways.push_back(std::make_unique<Gateway>(i, upstream, redis, chaos, policy, clock));
    }
    std::atomic<uint64_t> next{0};
    std::vector<std::thread> threads;
    threads.reserve(kCallers);
    for (int i = 0; i < kCallers; ++i) {
      const int gateway = i % kGateways;
      threads.emplace_back([&, gateway, seed_of_caller = seed + 1 + static_cast<uint64_t>(i)] {
        Caller caller(seed_of_caller, gateway, *gateways[static_cast<size_t>(gateway)], clock,
                      chaos, history);
        for (uint64_t number = next++; number < operations; number = next++) {
          chaos.Befall(number);
          caller.Call(number);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    chaos.End();
    upstream.Stop();
    std::vector<const NotedMemory*> memories;
    for (const auto& gateway : gateways) memories.push_back(&gateway->memory);
    history.CheckSent(memories);
    for (const auto& gateway : gateways) {
      gateway->shared->Stop();
      gateway->loop->Stop();
      shared_hits += gateway->shared->stats().hits.Value();
      const WriteStats& stats = gateway->source->stats();
      repeated += stats.repeated.Value();
      awaited += stats.awaited.Value();
      lost += stats.lost.Value();
      alone += stats.alone.Value();
    }
  }
  std::cout << "history of writes: seed " << seed << ", " << operations << " calls, "
            << upstream.exchanges() << " exchanges with the upstream, " << shared_hits
            << " hits in Redis, which was killed " << chaos.kills() << " times, stood still "
            << chaos.pauses() << " times and had " << chaos.spoilt() << " values spoilt; "
            << repeated << " writes repeated, " << awaited << " awaited, " << lost << " lost, "
            << alone << " alone: " << history.violations() << " violations\n"
            << history;
  EXPECT_EQ(history.violations(), 0) << "HISTORY_SEED=" << seed;
}

}  // namespace
}  // namespace pcap_gateway
