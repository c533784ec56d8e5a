// SimulatedUpstream: answers as Cloudflare might on a bad day, and remembers what it said when.
//
// Each capture moves through versions until one is final, which then stays. Answers take a random
// while; some fail, some come from a replica that lags behind, some are long in coming. Every
// exchange has a number, which stands in the message, so that whoever gets the answer can look up
// what it was worth.
#ifndef PCAP_GATEWAY_TESTS_HISTORY_SIMULATED_UPSTREAM_H_
#define PCAP_GATEWAY_TESTS_HISTORY_SIMULATED_UPSTREAM_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/source/source.h"

namespace pcap_gateway {

// What is asked, with which credential. Not Query::key(), on which the caches rely.
inline Key AskedFor(const Query& query) {
  return {query.credential->partition(), query.account, query.resource, query.endpoint->number};
}

struct Exchange {
  Key key;
  absl::Time began;                           // when it was asked
  absl::Time answered;                        // when the upstream decided what to say
  absl::Time ended = absl::InfiniteFuture();  // when the cache had dealt with its answer
  bool ok = false;
  Stage stage = Stage::kMoving;
  Denies denies = Denies::kNothing;
  int gateway = 0;       // that asked
  std::string written;   // the body; empty: it was a read
  bool changed = false;  // it wrote, whatever it said
};

// How often what goes wrong, from 0 to 1.
struct Faults {
  double unavailable = 0;   // 503
  double not_found = 0;     // 404
  double unauthorized = 0;  // 401
  double forbidden = 0;     // 403
  double lagging = 0;       // what was true before
  double stalled = 0;       // takes ten times as long
  double lost = 0;          // a write's answer does not come: its outcome is unknown
  bool never_ends = false;  // the capture is never final
};

// Thread-safe.
class SimulatedUpstream {
 public:
  // The clock outlives it. `faults` tells them by the capture's key.
  SimulatedUpstream(uint64_t seed, const Clock& clock, std::function<Faults(const Key&)> faults);
  ~SimulatedUpstream() { Stop(); }

  // Answers what is still asked, refreshes that nobody waits for among it. Nothing is asked after.
  void Stop();

  // A Source to put below the caches of this gateway. It does not outlive this.
  std::unique_ptr<Source> Connect(int gateway);

  // A Source around `inner`, right below the cache of this gateway: notes when the cache has dealt
  // with each answer.
  std::unique_ptr<Source> Tap(std::unique_ptr<Source> inner, int gateway);

  // The number of the exchange that brought this outcome.
  static int64_t NumberOf(const Outcome& outcome);

  Exchange exchange(int64_t number) const;
  int64_t exchanges() const;
  std::vector<Exchange> all() const;

  // When the latest exchange about `key` began of those that have brought an answer; infinite past:
  // none has.
  absl::Time LatestAnswered(const Key& key) const;

  // Whether anything was ever denied to the key's credential, with 401 or 403.
  bool WasDenied(const Key& key) const;

  // When Cloudflare's latest denial of it was made, of those that this gateway's cache had dealt
  // with by `then`; infinite past: there was none.
  absl::Time LatestDenial(const Key& key, int gateway, absl::Time then) const;

 private:
  struct Connection;
  struct Tapped;
  struct Capture {
    bool final = false;
    absl::Time latest_answered = absl::InfinitePast();
  };
  // A credential's, at one gateway: when it was made, and when the cache had dealt with it.
  struct Denial {
    Key key;
    Denies denies;
    absl::Time made;
    absl::Time heard;
  };

  Ticket Ask(Query query, int gateway, Source::Done done);
  void Serve();
  void Finish(int64_t number, bool cancelled);
  void NoteEnd(const Outcome& outcome, int gateway);
  OutcomePtr Answer(int64_t number);
  bool Happens(double chance);

  const Clock& clock_;
  const std::function<Faults(const Key&)> faults_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool stopping_ = false;
  std::mt19937_64 random_;
  std::vector<Exchange> exchanges_;
  absl::flat_hash_map<int64_t, Source::Done> pending_;  // by exchange
  // What is due when; the cancelled ones too.
  using Due = std::pair<absl::Time, int64_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  absl::flat_hash_map<Key, Capture> captures_;
  absl::flat_hash_set<Partition> denied_;
  absl::flat_hash_map<std::pair<int, Partition>, std::vector<Denial>> denials_;  // by gateway
  std::thread thread_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_HISTORY_SIMULATED_UPSTREAM_H_
