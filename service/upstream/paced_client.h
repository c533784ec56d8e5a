// PacedClient: sends no more than so many requests a second from this address, for all callers.
//
// Cloudflare counts by address, too: 200 requests a second, and then it refuses them. Credentials
// that it does not know count there, so no budget of a credential helps.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_PACED_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_PACED_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "service/base/clock.h"
#include "service/loop/loop.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

// Written by the loop's thread, read by any.
struct PaceStats {
  std::atomic<int64_t> waiting{0};
};

// Who comes too soon waits, callers taking turns, and refreshes after them. The wait is part of the
// request's timeout: who is waiting when that is over hears so.
class PacedClient final : public HttpClient {
 public:
  // All outlive it. `most`: requests in any second, positive.
  PacedClient(Loop& loop, HttpClient& inner, int64_t most, const Clock& clock)
      : loop_(loop), inner_(inner), most_(most), clock_(clock) {}

  Ticket Send(HttpRequest request, Done done) override;

  const PaceStats& stats() const { return stats_; }

 private:
  struct Waiting;
  using WaitingPtr = std::shared_ptr<Waiting>;
  // One caller's, in the order of coming.
  struct Line {
    std::string caller;
    std::list<WaitingPtr> waiting;  // never empty
  };

  bool MaySend(absl::Time now);
  Ticket SendNow(HttpRequest request, Done done);
  void Forget(absl::Time sent_at);
  void Enter(const WaitingPtr& waiting);
  WaitingPtr TakeNext();
  void SendWaiting();
  void WakeLater(absl::Time now);
  void Cancel(const WaitingPtr& waiting);

  Loop& loop_;
  HttpClient& inner_;
  const int64_t most_;
  const Clock& clock_;
  PaceStats stats_;
  std::deque<absl::Time> sent_;  // within the last second; ascending
  std::list<Line> lines_;        // the first one's turn is next
  std::list<WaitingPtr> refreshes_;
  bool wakes_ = false;  // SendWaiting will run
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_PACED_CLIENT_H_
