// Shared standing: since when what Redis holds for a credential, or for it in one account, counts.
//
//   pcap-gateway:v1:{<32 hexadecimal digits>}:<32 more>:standing
//                                            "0001793370000123456K", and a seal
//
// An entry counts only if both of its standings are there, and it was asked for no earlier than
// either says: so where Redis drops one to make room, or somebody spoils it, replicas ask
// Cloudflare again, and a rejection is never forgotten. The first entry makes them (K, kept), and a
// rejection puts one forward (D, denied). Names and seals are HMACs under the credential's secret,
// as those of entries are.
#ifndef PCAP_GATEWAY_SERVICE_SHARED_SHARED_STANDING_H_
#define PCAP_GATEWAY_SERVICE_SHARED_SHARED_STANDING_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/source/credential.h"
#include "service/source/id.h"

namespace pcap_gateway {

struct SharedStanding {
  absl::Time since;  // by Redis' clock, in whole microseconds, from 1970 on
  bool denied;       // Cloudflare's word; else only the first entry's time
};

// The time's digits come first, so that Redis' scripts can tell which of two is the later one.
inline constexpr size_t kStandingDigits = 19;

// Of the credential as a whole.
std::string StandingName(const Credential& credential);
// Of the credential in one account.
std::string StandingName(const Credential& credential, const Id& account);

std::string SealedStanding(const SharedStanding& standing, absl::string_view name,
                           const Credential& credential);

// Absent: this is not what SealedStanding made for that name and credential.
std::optional<SharedStanding> OpenedStanding(absl::string_view value, absl::string_view name,
                                             const Credential& credential);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_SHARED_SHARED_STANDING_H_
