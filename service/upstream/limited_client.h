// LimitedClient: bounds how many requests are in flight, and how many wait to be.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_LIMITED_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_LIMITED_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <list>

#include "service/source/clock.h"
#include "service/source/counter.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

struct LimitOptions {
  int64_t most_in_flight = 1000;  // positive
  int64_t most_waiting = 10'000;  // 0: nobody waits
};

// Written by the loop's thread, read by any.
struct LimitStats {
  Counter refused;  // as too many waited
  std::atomic<int64_t> in_flight{0};
  std::atomic<int64_t> waiting{0};
};

// Who waits is sent in the order of coming, calls before refreshes. The wait is part of the
// request's timeout: who is waiting when that is over hears so when the turn comes. What all have
// left by then takes no turn.
class LimitedClient final : public HttpClient {
 public:
  // Both outlive it.
  LimitedClient(HttpClient& inner, const LimitOptions& options, const Clock& clock)
      : inner_(inner), options_(options), clock_(clock) {}

  Ticket Send(HttpRequest request, Done done) override;

  const LimitStats& stats() const { return stats_; }

 private:
  struct Waiting;
  using WaitingPtr = std::shared_ptr<Waiting>;
  using Queue = std::list<WaitingPtr>;

  Ticket SendNow(HttpRequest request, Done done);
  void SendWaiting();
  bool NobodyWaits() const { return calls_.empty() && refreshes_.empty(); }
  void Cancel(const WaitingPtr& waiting);

  HttpClient& inner_;
  const LimitOptions options_;
  const Clock& clock_;
  LimitStats stats_;
  int64_t in_flight_ = 0;
  bool sending_waiting_ = false;
  Queue calls_;
  Queue refreshes_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_LIMITED_CLIENT_H_
