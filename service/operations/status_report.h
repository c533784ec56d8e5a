// StatusReport: how a gateway is doing, as its status page shows it.
#ifndef PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_REPORT_H_
#define PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "service/base/histogram.h"
#include "service/operations/recent_errors.h"

namespace pcap_gateway {

// Counters and gauges as they were at one time; counters count from the start.
struct StatusFigures {
  absl::Time at;
  uint64_t answered = 0;  // calls with OK
  uint64_t refused = 0;   // with a code that is the caller's doing
  uint64_t faults = 0;    // with any other
  uint64_t hits = 0;      // calls that the cache answered
  uint64_t misses = 0;    // and that it did not
  int64_t budget_left = 0;
  HistogramSnapshot durations;  // of calls
};

struct StatusReport {
  struct Cache {
    uint64_t collapsed = 0;
    uint64_t stale = 0;
    int64_t entries = 0;
    int64_t bytes = 0;
    int64_t limit_bytes = 0;
  };
  struct Upstream {
    std::string url;
    std::string circuit;  // "closed", "half-open", "open", or "none"
    uint64_t requests = 0;
    uint64_t retries = 0;
    uint64_t withheld = 0;
    int64_t in_flight = 0;
    int64_t queued = 0;
    std::vector<std::pair<std::string, uint64_t>> answers;   // by "2xx" …
    std::vector<std::pair<std::string, uint64_t>> failures;  // by kind
  };
  struct Budget {
    std::string fingerprint;  // names the credential without giving it away
    bool of_gateway = true;
    int64_t limit = 0;
    int64_t left = 0;
    std::optional<absl::Time> blocked_until;
    struct Caller {
      std::string name;
      int64_t spent = 0;  // requests in the last five minutes
      int64_t asked = 0;  // likewise, refused ones too
    };
    std::vector<Caller> callers;  // the ones that spent most of it
  };
  struct Redis {
    bool up = false;
    uint64_t hits = 0;
    uint64_t misses = 0;
  };

  struct Watched {
    std::string caller;
    std::string account;
    int64_t watchers = 0;
  };

  std::string version;
  std::string address;
  bool tls = false;
  bool serving = true;
  std::string waits_for;  // before calls may come; empty: nothing
  absl::Time started;
  int64_t waiting_calls = 0;
  StatusFigures now;
  std::optional<Cache> cache;
  Upstream upstream;
  // The latest used first. Empty: there is no limit, or nothing was asked yet.
  std::vector<Budget> budgets;
  std::optional<Redis> redis;
  std::vector<Watched> watched;        // the accounts that most watch
  std::vector<RecentError> errors;     // the latest first
  std::vector<StatusFigures> history;  // the oldest first; evenly spread, without `now`
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_OPERATIONS_STATUS_REPORT_H_
