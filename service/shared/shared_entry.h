// Shared entry: a kept outcome as it stands in Redis, and the name that it stands under.
//
//   pcap-gateway:v1:{<32 hexadecimal digits>}:<32 more>       the entry
//   pcap-gateway:v1:{<32 hexadecimal digits>}:<32 more>:lock  who asks for it just now
//   pcap-gateway:v1:{<32 other digits>}:written               when a write outdated it
//
// The name is made of HMACs under the credential's secret (redis_names.h), the second of them over
// account, capture, endpoint and variant; the value is sealed with an HMAC under the same secret,
// over the name and all of the value. So Redis does not show whose entry it is or about which
// capture; nobody without the credential can look for an entry or make one; and an entry that was
// changed, cut off, or moved under another name, or belongs to another version, is none. The answer
// itself stands there in clear. A write outdates the entries of all credentials, so the name that
// tells of it is a hash without a key.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_SHARED_ENTRY_H_
#define PCAP_GATEWAY_SERVICE_SHARED_SHARED_ENTRY_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/credential.h"
#include "service/source/outcome.h"
#include "service/source/query.h"

namespace pcap_gateway {

// `variant`: what else makes answers differ (whether secrets are shown); gateways that differ in it
// do not share entries.
std::string EntryName(const Credential& credential, const Subject& subject,
                      absl::string_view variant);
inline std::string EntryName(const Query& query, absl::string_view variant) {
  return EntryName(*query.credential, query.subject(), variant);
}

// Where Redis keeps when a write outdated all entries of the subject, whatever their credentials.
std::string WrittenName(const Subject& subject, absl::string_view variant);

struct SharedEntry {
  // An answer, or NOT_FOUND. Its `as_of` is by Redis' clock. Not null.
  std::shared_ptr<Outcome> outcome;
  // It is fresh so long, from `outcome->as_of` on.
  absl::Duration lifetime;
};

// Of a value. A longer one is not ours.
inline constexpr size_t kMostEntryBytes = kMostOutcomeBytes + (64 << 10);

// The first byte of a value, which Redis' scripts look at.
inline constexpr char kFinalMark = 'F';
inline constexpr char kMovingMark = 'M';

// `as_of`: in place of the outcome's, by Redis' clock.
std::string SealedEntry(const Outcome& outcome, absl::Time as_of, absl::Duration lifetime,
                        absl::string_view name, const Credential& credential);

// `not_found`: the reason of NOT_FOUND, which is the endpoint's. Absent: this is not what
// SealedEntry made for that name and credential.
std::optional<SharedEntry> OpenedEntry(absl::string_view value, absl::string_view name,
                                       const Credential& credential, Reason not_found);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_SHARED_ENTRY_H_
