// TimedLedger: a SharedLedger in a real Redis whose time is the test's.
#ifndef PCAP_GATEWAY_TESTS_HISTORY_TIMED_LEDGER_H_
#define PCAP_GATEWAY_TESTS_HISTORY_TIMED_LEDGER_H_

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/shared/shared_ledger.h"
#include "tests/support/event.h"
#include "tests/support/redis_server.h"
#include "tests/support/until.h"

namespace pcap_gateway {

// One replica's. Answers before Spend returns.
class TimedLedger final : public Ledger {
 public:
  // Both outlive it.
  TimedLedger(const RedisServer& server, const Clock& clock)
      : clock_(clock),
        redis_(RedisClient::Start(
            *loop_, {.url = *RedisUrlFrom(server.url()), .command_timeout = absl::Seconds(30)})),
        ledger_(redis_, clock, absl::StrCat(kTime, SpendScript())) {
    EXPECT_TRUE(Until([this] { return redis_->stats().up.load(); }));
  }
  ~TimedLedger() override { redis_->Stop(); }

  void Spend(LedgerEntry entry, Done done) override {
    std::optional<LedgerWord> word;
    Event said;
    loop_->Post([&] {
      const std::string now = absl::StrCat(absl::ToUnixMillis(clock_.Now()));
      redis_->Send({"SET", "test-time", now}, [](const std::optional<RedisReply>&) {});
      ledger_.Spend(std::move(entry), [&](std::optional<LedgerWord> got) {
        word = std::move(got);
        said.Happen();
      });
    });
    if (!said.Await()) std::abort();
    std::move(done)(word);
  }

  void Over(const Credential& credential, absl::string_view caller,
            std::optional<int64_t> granted_in, int sendings) override {
    loop_->Run([&] { ledger_.Over(credential, caller, granted_in, sendings); });
  }

  void Block(const Credential& credential, absl::Duration how_long) override {
    loop_->Run([&] { ledger_.Block(credential, how_long); });
  }

 private:
  static constexpr absl::string_view kTime = R"(
local real = redis
local redis = {call = function(command, ...)
  if command ~= 'TIME' then return real.call(command, ...) end
  local now = tonumber(real.call('GET', 'test-time'))
  return {math.floor(now / 1000), now % 1000 * 1000}
end}
)";

  const Clock& clock_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Start();
  const std::shared_ptr<RedisClient> redis_;
  SharedLedger ledger_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_HISTORY_TIMED_LEDGER_H_
