// CallHistory: what callers were told, checked against what the upstream had said.
//
// The rules, each a count of violations:
//   too old     an answer to a call that came at t and accepts no answer older than m rests on an
//               exchange with the upstream that began at t - m or later
//   stale       whatever the caller accepts, it rests on one within the policy's bounds, or on one
//               that was answered while the call waited
//   understated an answer's `age` is no less than it was when the call came
//   revoked     once a gateway has heard that Cloudflare rejects a credential, or denies it an
//               account, no call that comes to it later is given what was asked for before that
//   backwards   once a caller of a gateway has been told a final status, no call that comes to that
//               gateway later is told another; unless the credential was ever denied something
//   crossed     an answer was brought for the very key that it is given to: credential included
//   late errors a failure is told to those who waited for it, not to who comes after it (404 apart,
//               which is kept)
#ifndef PCAP_GATEWAY_TESTS_HISTORY_CALL_HISTORY_H_
#define PCAP_GATEWAY_TESTS_HISTORY_CALL_HISTORY_H_

#include <array>
#include <cstdint>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "service/freshness/freshness.h"
#include "service/source/outcome.h"
#include "service/source/query.h"
#include "tests/history/simulated_upstream.h"

namespace pcap_gateway {

// A call that is over.
struct CallRecord {
  int gateway;
  Key key;
  absl::Duration max_age;
  absl::Time came;
  absl::Time ended;
  Reply reply;
};

// Thread-safe.
class CallHistory {
 public:
  // Both outlive it.
  CallHistory(const SimulatedUpstream& upstream, const FreshnessPolicy& policy)
      : upstream_(upstream), policy_(policy) {}

  // Checks the call. Calls of one gateway come in any order.
  void Add(const CallRecord& call);

  int64_t violations() const;

  // Counts of all kinds of answers and violations, and the first few violations in words.
  friend std::ostream& operator<<(std::ostream& out, const CallHistory& history);

 private:
  void AddAnswer(const CallRecord& call);
  void AddFailure(const CallRecord& call);
  void Check(bool holds, const char* rule, const CallRecord& call);

  const SimulatedUpstream& upstream_;
  const FreshnessPolicy& policy_;

  mutable std::mutex mutex_;  // guards all below
  // By gateway and key: when the first caller had been told of the end.
  absl::flat_hash_map<std::pair<int, Key>, absl::Time> told_final_;
  absl::flat_hash_map<std::string, int64_t> answers_;     // by kind
  absl::flat_hash_map<std::string, int64_t> violations_;  // by rule
  std::vector<std::string> first_violations_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_HISTORY_CALL_HISTORY_H_
