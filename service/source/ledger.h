// Ledger: where the replicas of the gateway count the requests they send to Cloudflare together.
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_LEDGER_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_LEDGER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "service/source/credential.h"

namespace pcap_gateway {

// A request that wants to be sent.
struct LedgerEntry {
  std::shared_ptr<const Credential> credential;  // whose limit it counts towards
  std::string question;     // tells requests apart: who is refused keeps its turn by it
  bool background = false;  // nobody waits for the answer
  int64_t limit = 1;        // requests that fit into any `window`
  int64_t reserve = 0;      // of these, so many are not for the background
  absl::Duration window;
};

struct LedgerWord {
  // When to come again, positive; absent: granted, and counted.
  std::optional<absl::Duration> later;
  // Requests that all replicas together may send at once.
  int64_t left = 0;
  // How many replicas used the credential within the window; this one included.
  int64_t replicas = 1;
};

// Thread-safe.
class Ledger {
 public:
  // Absent: it cannot be asked just now.
  using Done = absl::AnyInvocable<void(std::optional<LedgerWord>) &&>;

  virtual ~Ledger() = default;

  // Asks leave for a request. `done` runs once, on a thread of the ledger's or before Spend
  // returns.
  virtual void Spend(LedgerEntry entry, Done done) = 0;

  // Cloudflare answers nothing to this credential for so long: nobody is granted anything.
  virtual void Block(const Credential& credential, absl::Duration how_long) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_LEDGER_H_
