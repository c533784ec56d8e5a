// Ledger: where the replicas of the gateway count the requests they send to Cloudflare together.
//
//   ledger.Spend(entry, [&](std::optional<LedgerWord> word) {
//     if (word.has_value() && !word->refusal.has_value()) Send(word->granted_in);
//   });
//   ledger.Over(credential, caller, granted_in, 1);   // once the request has ended
#ifndef PCAP_GATEWAY_SERVICE_SOURCE_LEDGER_H_
#define PCAP_GATEWAY_SERVICE_SOURCE_LEDGER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/credential.h"
#include "service/source/refusal.h"

namespace pcap_gateway {

// A request that wants to be sent.
struct LedgerEntry {
  std::shared_ptr<const Credential> credential;  // whose limit it counts towards
  std::string question;     // tells requests apart: who is refused keeps its turn by it
  std::string caller;       // whose part of the limit it takes; empty with `background`
  bool background = false;  // nobody waits for the answer
  int64_t limit = 1;        // requests that fit into any `window`
  int64_t reserve = 0;      // of these, so many are not for the background
  int64_t hold = 0;         // and so many for callers who have had little
  absl::Duration window;
  absl::Duration longest_block;  // that Cloudflare knows
};

struct LedgerWord {
  // Absent: granted, and counted until Over.
  std::optional<Refusal> refusal;
  // Requests that all replicas together may send at once; 0 or more.
  int64_t left = 0;
  // How many replicas used the credential within the window; this one included, so 1 or more.
  int64_t replicas = 1;
  // Names the grant for Over.
  int64_t granted_in = 0;
};

// The loop's thread only.
class Ledger {
 public:
  // Absent: it cannot be asked just now.
  using Done = absl::AnyInvocable<void(std::optional<LedgerWord>) &&>;

  virtual ~Ledger() = default;

  // Asks leave for a request. `done` runs once, perhaps before Spend returns.
  virtual void Spend(LedgerEntry entry, Done done) = 0;

  // A request of the caller's has ended that left the process `sendings` times; 0 gives it back.
  // `granted_in`: where the ledger granted it; absent: it was sent while the ledger could not be
  // asked. Never blocks; the others hear of it with the next Spend.
  virtual void Over(const Credential& credential, absl::string_view caller,
                    std::optional<int64_t> granted_in, int sendings) = 0;

  // Cloudflare answers nothing to this credential for so long: nobody is granted anything.
  virtual void Block(const Credential& credential, absl::Duration how_long) = 0;
};

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SOURCE_LEDGER_H_
