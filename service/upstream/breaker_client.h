// BreakerClient: leaves an upstream alone that keeps failing.
//
// Only what the upstream did counts, or left undone for much longer than it usually takes: a
// request that ended by its caller's deadline or leaving is no sign, unless it had been out that
// long. The wait in our own queue and our own lack of means never count.
//
// Circuits:
//   - One for all requests, for connections: no address, no connection, no trust, broken, or not
//     even sent in all that time. Any answer at all closes it.
//   - One for each credential, for answers: 5xx, or none (a hang). Both may come from what that
//     credential asks about, so they are no reason to refuse others. When the upstream hangs for
//     everybody, each credential finds out for itself, at the price of `failures_to_open` requests.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_BREAKER_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_BREAKER_CLIENT_H_

#include <array>
#include <atomic>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/upstream/circuit_breaker.h"
#include "service/upstream/http_client.h"
#include "service/upstream/usual_time.h"

namespace pcap_gateway {

// Written by the loop's thread, read by any.
struct BreakerStats {
  Counter withheld;
  std::atomic<int> state{0};  // of the circuit that is worst, as CircuitBreaker::State numbers them
};

class BreakerClient final : public HttpClient {
 public:
  // Both outlive it. `inner` fills in `out` of answers and failures.
  BreakerClient(HttpClient& inner, const BreakerPolicy& policy, const Clock& clock)
      : inner_(inner), policy_(policy), connections_(policy), clock_(clock) {}

  Ticket Send(HttpRequest request, Done done) override;

  const BreakerStats& stats() const { return stats_; }

 private:
  // What the end of a request says of a circuit, or the begin of content for a sink.
  enum class Sign { kWell, kUnwell, kNone };
  struct Signs {
    Sign connections = Sign::kNone;
    Sign answers = Sign::kNone;
  };

  // Of both circuits. No `wait`: granted, and perhaps as the probe of one.
  struct Leave {
    std::optional<absl::Duration> wait;
    bool probes_connections = false;
    bool probes_answers = false;
  };

  Leave Ask(const Partition& credential);
  std::optional<absl::Duration> Ask(CircuitBreaker& circuit, bool& is_probe);
  Signs SignsOf(const HttpResult& result) const;
  void Ended(const Partition& credential, const Leave& leave, const HttpResult& result);
  void Learn(const Partition& credential, const Signs& signs, const Leave& leave);
  void LearnAnswer(const Partition& credential, Sign sign, bool is_probe);
  void Note(CircuitBreaker& circuit, Sign sign, bool is_probe);
  void Moved(CircuitBreaker::State from, CircuitBreaker::State to);

  // More credentials than that are not remembered at once; some other is forgotten.
  static constexpr size_t kMostCircuits = 10'000;

  HttpClient& inner_;
  const BreakerPolicy policy_;
  CircuitBreaker connections_;
  absl::flat_hash_map<Partition, CircuitBreaker> answers_;  // of credentials that met a failure
  std::array<int64_t, 3> circuits_in_state_{};              // of all
  UsualTime usual_;
  const Clock& clock_;
  BreakerStats stats_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_BREAKER_CLIENT_H_
