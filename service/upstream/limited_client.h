// LimitedClient: bounds how many requests are in flight, and how many wait to be; and shares both
// out, so that no caller's slow requests hold up another's.
//
// Shares are the callers' (HttpRequest::caller), and within a caller's share its credentials': the
// tenants behind one proxy have the proxy's address, and are told apart by what they prove. The
// credential alone would not do: whoever makes up tokens would have a share for each.
//
// Three rules, each for callers, and within a caller for its credentials:
//   - Next is who has the fewest in flight.
//   - Nobody may have more in flight than kLent times what is left free (a dynamic threshold,
//     Choudhury and Hahne 1998): one caller alone has four fifths of the places, n greedy ones have
//     equal parts, and some are free for the next one who comes, at once.
//   - When the waiting room is full, the newest of who has the most in it gives way.
//
// Refreshes that nobody waits for are sent while no call waits, hold no more places than they leave
// free, and have a waiting room of their own. One that a caller joins becomes a call. It is on no
// caller's account: all of these together are one caller.
#ifndef PCAP_GATEWAY_SERVICE_UPSTREAM_LIMITED_CLIENT_H_
#define PCAP_GATEWAY_SERVICE_UPSTREAM_LIMITED_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/container/node_hash_map.h"
#include "service/base/clock.h"
#include "service/base/counter.h"
#include "service/upstream/fair_turns.h"
#include "service/upstream/http_client.h"

namespace pcap_gateway {

struct LimitOptions {
  // Positive. Not more than the transport can send at once: what waits in there knows no turns.
  int64_t most_in_flight = 1400;
  int64_t most_waiting = 10'000;  // calls; 0: nobody waits
  int64_t most_refreshes_waiting = 1000;
};

// Written by the loop's thread, read by any.
struct LimitStats {
  Counter refused;            // calls, as too many waited
  Counter refused_refreshes;  // the same for these
  std::atomic<int64_t> in_flight{0};
  std::atomic<int64_t> waiting{0};  // calls
  std::atomic<int64_t> refreshes_waiting{0};
};

// The wait is part of the request's timeout: who is waiting when that is over hears so when the
// turn comes. What all have left by then takes no turn. It fills in `out` of answers and failures.
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

  struct Caller;
  // One credential's requests of one caller.
  struct Line : Party {
    Caller* caller = nullptr;
    Partition partition{};
    Queue queue;
  };
  struct Caller : Party {
    std::string name;
    absl::node_hash_map<Partition, Line> lines;  // those that have something
    FairTurns<Line> turns;
  };

  Line& LineOf(const HttpRequest& request);
  void AddWaiting(Line& line, int64_t more);
  void AddInFlight(Line* line, int64_t more);
  void ForgetIfIdle(Line& line);
  bool MaySend(const Line& line) const;
  bool MayRefresh() const;
  bool MakeRoomFor(const Line& line, WaitingPtr& gives_way);

  void Wait(const WaitingPtr& waiting, Line* line);
  WaitingPtr TakeOut(const WaitingPtr& waiting);
  void FindJoined();
  WaitingPtr TakeNext();
  void SendWaiting();
  Ticket SendNow(HttpRequest request, Line* line, Done done);
  void Cancel(const WaitingPtr& waiting);

  HttpClient& inner_;
  const LimitOptions options_;
  const Clock& clock_;
  LimitStats stats_;
  int64_t in_flight_ = 0;
  int64_t refreshes_in_flight_ = 0;
  int64_t calls_waiting_ = 0;
  bool sending_waiting_ = false;
  absl::node_hash_map<std::string, Caller> callers_;  // those that have something
  FairTurns<Caller> turns_;
  Queue refreshes_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_UPSTREAM_LIMITED_CLIENT_H_
