// BreakerClient: leaves an upstream alone that keeps failing. One CircuitBreaker for all requests.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_BREAKER_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_BREAKER_CLIENT_H_

#include <atomic>

#include "service/source/clock.h"
#include "service/source/counter.h"
#include "service/upstream/circuit_breaker.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

// Written by the loop's thread, read by any.
struct BreakerStats {
  Counter withheld;
  std::atomic<int> state{0};  // as CircuitBreaker::State numbers them
};

class BreakerClient final : public HttpClient {
 public:
  // Both outlive it.
  BreakerClient(HttpClient& inner, const BreakerPolicy& policy, const Clock& clock)
      : inner_(inner), breaker_(policy), clock_(clock) {}

  Ticket Send(HttpRequest request, Done done) override;

  const BreakerStats& stats() const { return stats_; }

 private:
  void Learn(const HttpResult& result);

  HttpClient& inner_;
  CircuitBreaker breaker_;
  const Clock& clock_;
  BreakerStats stats_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_BREAKER_CLIENT_H_
