// RedisClient: commands to a Redis that may be slow, full, restarted or gone. Its connection hangs
// on the loop.
//
//   std::unique_ptr<RedisClient> client = RedisClient::Start(loop, {.url = url});
//   loop.Post([&] {
//     client->Send({"GET", key}, [&](std::optional<RedisReply> reply) { Use(reply); });
//   });
//
// A command that is not answered within its timeout has failed; whatever comes later is dropped.
// After some of those in a row, or half of the last ones, or when the connection is lost, Redis is
// down: commands fail at once, until a new connection answers PINGs in time. So the worst that a
// Redis can do to a call is to hold it up for one timeout, and that for the first few calls alone.
//
// One that refuses (redis_refusals.h: a replica, a user without rights, no memory) is down, too,
// until a new connection, made to the name's address by then, has done the rehearsal.
// One that keeps coming back and being late or refusing is tried less and less often.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_REDIS_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_SHARED_REDIS_CLIENT_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/counter.h"
#include "service/loop/event_loop.h"
#include "service/shared/redis_refusals.h"
#include "service/shared/redis_replies.h"
#include "service/shared/redis_tls.h"
#include "service/shared/redis_url.h"

namespace pcap_gateway {

struct RedisOptions {
  RedisUrl url;
  RedisTlsFiles tls_files;  // where the URL says TLS
  absl::Duration command_timeout = absl::Milliseconds(5);
  // From the first packet to the answer to PING.
  absl::Duration connect_timeout = absl::Seconds(1);
  absl::Duration reconnect_after = absl::Seconds(1);
  int timeouts_until_down = 6;  // in a row
  // Late commands among the last 32 that are as bad.
  int late_until_down = 16;
  // The longest pause before a Redis is tried again that was late.
  absl::Duration longest_reconnect_after = absl::Seconds(60);
  // Commands for each new connection: it is of no use where it replies an error to one of them,
  // except NOSCRIPT. They hold no secrets. See RedisRehearsal.
  std::vector<std::vector<std::string>> rehearsal;
  // Commands that wait for their reply; more fail at once.
  size_t most_in_flight = 10'000;
  // Told, on the loop's thread, when Redis has come up or gone down, and why: one line without
  // secrets. May be empty.
  std::function<void(bool is_up, const std::string& line)> log;
};

// Written by the loop's thread, read by any. Failures count commands; but one of a connection
// counts once, for whatever commands it took with it.
struct RedisStats {
  Counter timeouts;     // no reply in time
  Counter connections;  // lost, refused, or spoke nonsense
  Counter errors;       // Redis replied an error, except NOSCRIPT
  Counter overloads;    // too many in flight
  Counter skipped;      // not sent, as Redis was down
  // Of the errors those that took it down, by kRedisRefusals.
  std::array<Counter, kRedisRefusals.size()> refusals;
  std::atomic<bool> up{false};
};

class RedisClient {
 public:
  // Absent: there is no reply, or a refusal. Any other error that Redis replies is a reply.
  using Done = absl::AnyInvocable<void(std::optional<RedisReply>) &&>;

  // Connects in the background, on `loop`, which outlives it. Another thread than the loop's.
  static std::unique_ptr<RedisClient> Start(EventLoop& loop, const RedisOptions& options);

  // Stops, if Stop was not called.
  ~RedisClient();

  // Fails all commands, and lets go of the loop. What is sent after it finds Redis down. Another
  // thread than the loop's, once.
  void Stop();

  // Sends a command. `done` runs once, on the loop's thread; before Send returns where the command
  // is not sent, as Redis is down or too many are in flight. The loop's thread only.
  void Send(const std::vector<absl::string_view>& arguments, Done done);

  EventLoop& loop() { return loop_; }
  const RedisStats& stats() const { return stats_; }

 private:
  class Impl;
  RedisClient(EventLoop& loop, const RedisOptions& options);

  EventLoop& loop_;
  RedisStats stats_;
  std::unique_ptr<Impl> impl_;  // the loop's thread only
};

// For commands whose reply changes nothing; the client counts what fails.
inline constexpr auto kIgnoreReply = [](const std::optional<RedisReply>&) {};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_REDIS_CLIENT_H_
