// RuledUpstream: Cloudflare with its rate limit, in simulated time: 1200 requests within any five
// minutes, and past that nothing for five minutes.
#ifndef PCAP_GATEWAY_TESTS_HISTORY_RULED_UPSTREAM_H_
#define PCAP_GATEWAY_TESTS_HISTORY_RULED_UPSTREAM_H_

#include <cstdint>
#include <deque>
#include <random>

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/loop/loop.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

// Answers with the path that was asked for, after a random while, part of which passes before the
// request counts. Counts every request, refused ones too.
class RuledUpstream final : public HttpClient {
 public:
  // Both outlive it. `tells`: answers carry Ratelimit, as Cloudflare's do: what is left of a fixed
  // window, that begins with the first request in it.
  RuledUpstream(uint64_t seed, bool tells, Loop& loop, const Clock& clock)
      : random_(seed), tells_(tells), loop_(loop), clock_(clock) {}

  Ticket Send(HttpRequest request, Done done) override;

  int64_t requests() const { return requests_; }
  // In any five minutes.
  int64_t most() const { return most_; }
  int64_t blocks() const { return blocks_; }

 private:
  static constexpr int64_t kLimit = 1200;
  static constexpr absl::Duration kWindow = absl::Minutes(5);
  static constexpr absl::Duration kBlock = absl::Minutes(5);

  HttpAnswer AnswerTo(const HttpRequest& request);
  absl::Duration Way();

  std::mt19937_64 random_;
  const bool tells_;
  Loop& loop_;
  const Clock& clock_;
  std::deque<absl::Time> latest_;  // requests of the last five minutes
  absl::Time window_began_ = absl::InfinitePast();
  int64_t in_window_ = 0;
  absl::Time blocked_until_ = absl::InfinitePast();
  int64_t requests_ = 0;
  int64_t most_ = 0;
  int64_t blocks_ = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_HISTORY_RULED_UPSTREAM_H_
