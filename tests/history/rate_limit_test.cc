// Ten minutes at ten times what Cloudflare's rate limit allows, in simulated time: the whole way of
// a call below gRPC, put together as gateway.cc does, and callers who come back when they are told.
//
// HISTORY_SEED in the environment sets what it says.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "absl/strings/numbers.h"
#include "service/cache/caching_source.h"
#include "service/upstream/breaker_client.h"
#include "service/upstream/budgeted_client.h"
#include "service/upstream/limited_client.h"
#include "service/upstream/rest_source.h"
#include "service/upstream/retrying_client.h"
#include "tests/history/ruled_upstream.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_loop.h"
#include "tests/support/queries.h"

namespace pcap_gateway {
namespace {

constexpr absl::Duration kDemand = absl::Minutes(10);
constexpr double kCallsPerSecond = 40;  // 1200 in five minutes are 4

uint64_t Seed() {
  const char* const text = std::getenv("HISTORY_SEED");
  uint64_t seed = 0;
  return text != nullptr && absl::SimpleAtoi(text, &seed) ? seed : std::random_device()();
}

const Endpoint& EndpointThatMayBeLimited() {
  static const Endpoint endpoint = [] {
    Endpoint made = TestEndpoint();
    made.parse = [](const HttpAnswer& answer, const ParseOptions&) {
      Outcome outcome;
      outcome.message = answer.body;
      if (answer.status != 200) {
        outcome.error = std::make_unique<const Error>(absl::StatusCode::kResourceExhausted,
                                                      Reason::kRateLimited, "as Cloudflare says");
      }
      return outcome;
    };
    return made;
  }();
  return endpoint;
}

// The gateway, its callers and Cloudflare, on one thread. `GetParam`: Cloudflare tells how much is
// left, in each answer.
class RateLimitTest : public testing::TestWithParam<bool> {
 protected:
  struct Caller {
    int capture;
    bool was_refused = false;
  };

  void LetThemCome() {
    if (clock_.Now() >= start_ + kDemand) return;
    // Now and then for what another has just asked for.
    const bool again = captures_ > 0 && random_() % 10 == 0;
    Call({.capture = again ? captures_ - static_cast<int>(random_() % 20) : ++captures_});
    const double seconds = std::exponential_distribution<double>(kCallsPerSecond)(random_);
    loop_.After(absl::Seconds(seconds), [this] { LetThemCome(); });
  }

  void Call(Caller caller) {
    ++calls_;
    Query query = QueryFor(caller.capture);
    query.endpoint = &EndpointThatMayBeLimited();
    query.deadline = clock_.Now() + absl::Seconds(20);
    if (const std::optional<Reply> reply = source_->AtHand(query)) return Heard(caller, *reply);
    source_->Ask(std::move(query), [this, caller](Reply reply) { Heard(caller, reply); });
    loop_.RunAll();
  }

  void Heard(Caller caller, const Reply& reply) {
    const Outcome& outcome = *reply.outcome;
    if (outcome.ok()) {
      ++served_;
      kept_ += caller.was_refused;
      wrong_ += outcome.message != "http://api.test/" + NumberedId(caller.capture).ToString();
      return;
    }
    if (outcome.error->reason != Reason::kRateLimited || !outcome.error->retry_after.has_value()) {
      ++wrong_;
      return;
    }
    broken_ += caller.was_refused;
    ++refused_;
    caller.was_refused = true;
    // Some never come back. The others come when they were told, not before and not after.
    if (random_() % 10 == 0) return;
    ++came_back_;
    loop_.After(*outcome.error->retry_after, [this, caller] { Call(caller); });
  }

  const uint64_t seed_ = Seed();
  std::mt19937_64 random_{seed_};
  FakeClock clock_;
  FakeLoop loop_{clock_};
  const absl::Time start_ = clock_.Now();

  RuledUpstream cloudflare_{seed_, GetParam(), loop_, clock_};
  BudgetedClient budgeted_{loop_, cloudflare_, BudgetPolicy{}, nullptr, clock_};
  LimitedClient limited_{budgeted_, LimitOptions{}, clock_};
  BreakerClient breaker_{limited_, BreakerPolicy{}, clock_};
  RetryingClient retrying_{loop_, breaker_, RetryPolicy{}, [] { return 0.5; }, clock_};
  std::unique_ptr<CachingSource> source_ = std::make_unique<CachingSource>(
      std::make_unique<RestSource>(loop_, retrying_, RestOptions{.base_url = "http://api.test"},
                                   clock_),
      CacheOptions{}, clock_);

  int captures_ = 0;
  int64_t calls_ = 0;
  int64_t served_ = 0;
  int64_t refused_ = 0;
  int64_t came_back_ = 0;
  int64_t kept_ = 0;    // refused ones that were served when they came back
  int64_t broken_ = 0;  // … and were refused again
  int64_t wrong_ = 0;   // other ends than an answer to the question, or a refusal with a time
};

TEST_P(RateLimitTest, IsNeverBrokenAndEveryPromiseIsKept) {
  LetThemCome();
  loop_.Advance(kDemand);
  const int64_t in_ten_minutes = cloudflare_.requests();
  // Until the last one is back.
  while (!loop_.idle()) loop_.Advance(absl::Minutes(5));

  std::cout << "rate limit: seed " << seed_ << ", " << calls_ << " calls for " << captures_
            << " captures, " << in_ten_minutes << " requests in ten minutes and "
            << cloudflare_.requests() << " until all were back, at most " << cloudflare_.most()
            << " in any five minutes, " << cloudflare_.blocks() << " blocks; " << refused_
            << " refused, " << came_back_ << " came back, " << kept_ << " of them served, "
            << broken_ << " refused again\n";
  EXPECT_LE(cloudflare_.most(), 1200);
  EXPECT_EQ(cloudflare_.blocks(), 0);
  EXPECT_EQ(broken_, 0);
  EXPECT_EQ(kept_, came_back_);
  EXPECT_EQ(wrong_, 0);
  EXPECT_GT(refused_, 15'000) << "the demand was no demand";
  // Two windows of the three that ten minutes touch, and nearly all of what they allow.
  EXPECT_GT(in_ten_minutes, 1200 * 2 * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(Cloudflare, RateLimitTest, testing::Values(false, true),
                         [](const auto& info) { return info.param ? "Tells" : "IsSilent"; });

}  // namespace
}  // namespace pcap_gateway
