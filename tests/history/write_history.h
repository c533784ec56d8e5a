// WriteHistory: what callers of writes were told, and readers after them, checked against what the
// upstream had done.
//
// The rules, each a count of violations:
//   before      once a write has succeeded, no call that comes later is given what the upstream had
//               said before it: at the gateway that sent it always; at another one while nothing
//               befell Redis since the first call of that write came, and Redis took all that it
//               was told meanwhile
//   twice       a write without a name is sent once. One with a name is sent once by each gateway,
//               unless the upstream refused it; and by one gateway alone, where each that sent it
//               had claimed it in Redis, which nothing had befallen since the first call came
//   crossed     who asks for a write is told of that write, and not of another one
//   another     who is told of success, is told what all others are told who gave the same name to
//               the same gateway
#ifndef PCAP_GATEWAY_TESTS_HISTORY_WRITE_HISTORY_H_
#define PCAP_GATEWAY_TESTS_HISTORY_WRITE_HISTORY_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "service/source/outcome.h"
#include "service/source/query.h"
#include "service/source/write_memory.h"
#include "tests/history/chaos.h"
#include "tests/history/simulated_upstream.h"

namespace pcap_gateway {

// A call that is over, a read or a write.
struct WriteRecord {
  int gateway = 0;
  Key key;
  std::string written;    // the body, which is another one for each write; empty: a read
  bool has_name = false;  // which stands for the body
  absl::Time came;
  absl::Time ended;
  uint64_t events = 0;    // Chaos::events() when it came
  bool was_told = false;  // Redis took all that the gateway told it meanwhile
  Reply reply;
};

// A memory around another one, which notes what was claimed.
class NotedMemory final : public WriteMemory {
 public:
  // Both outlive it.
  NotedMemory(WriteMemory& inner, const Chaos& chaos) : inner_(inner), chaos_(chaos) {}

  void Claim(const NamedWrite& write, Done done) override;
  void Look(const NamedWrite& write, Done done) override { inner_.Look(write, std::move(done)); }
  void Keep(const NamedWrite& write) override { inner_.Keep(write); }
  void End(const NamedWrite& write, OutcomePtr outcome,
           absl::AnyInvocable<void(bool) &&> done) override {
    inner_.End(write, std::move(outcome), std::move(done));
  }

  // Chaos::events() when it heard that it had claimed the write; null: it has not.
  std::optional<uint64_t> ClaimedAt(const std::string& name) const;

 private:
  WriteMemory& inner_;
  const Chaos& chaos_;
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t> claimed_;  // guarded by mutex_
};

// Thread-safe.
class WriteHistory {
 public:
  // Both outlive it.
  WriteHistory(const SimulatedUpstream& upstream, const Chaos& chaos)
      : upstream_(upstream), chaos_(chaos) {}

  // A write is about to be asked for; ends with Add.
  void Begin(const WriteRecord& call);

  // Checks the call, and keeps what later ones are checked against.
  void Add(const WriteRecord& call);

  // When all is over: what was sent how often. `memories`: by gateway. A write's name is its body.
  void CheckSent(const std::vector<const NotedMemory*>& memories);

  int64_t violations() const;
  // Counts of all kinds of answers and violations, and the first few violations in words.
  friend std::ostream& operator<<(std::ostream& out, const WriteHistory& history);

 private:
  struct Success {
    int sender;  // the gateway
    std::string written;
    absl::Time ended;
    absl::Time answered;
  };
  // All calls of one write, which may have one name. Who comes late is told of what was before.
  struct Calls {
    uint64_t events = 0;  // Chaos::events() when the first one came
    int open = 0;
    bool was_told = true;  // of all that have ended
  };

  void AddRead(const WriteRecord& call);
  void AddWrite(const WriteRecord& call);
  void Check(bool holds, const char* rule, const std::string& words);

  const SimulatedUpstream& upstream_;
  const Chaos& chaos_;

  mutable std::mutex mutex_;  // guards all below
  std::map<std::pair<std::string, std::string>, std::vector<Success>> successes_;  // by the ids
  std::map<std::pair<int, std::string>, std::string> told_;  // by gateway and body
  std::map<std::string, Calls> calls_;                       // by body
  std::set<std::string> named_;
  std::map<std::string, int64_t> answers_;     // by kind
  std::map<std::string, int64_t> violations_;  // by rule
  int64_t checked_reads_ = 0;                  // with a write before them
  std::vector<std::string> first_violations_;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_TESTS_HISTORY_WRITE_HISTORY_H_
