// Whether certificates and keys can be used, before anybody is served with them.
#ifndef PCAP_GATEWAY_SERVICE_ACCESS_TLS_IDENTITY_H_
#define PCAP_GATEWAY_SERVICE_ACCESS_TLS_IDENTITY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// A certificate with its chain, leaf first, and the leaf's private key. PEM.
struct TlsIdentity {
  std::string certificate_chain;
  std::string private_key;
};

// What TLS is served with.
struct CheckedIdentity {
  // The key, then the chain, as OpenSSL writes them: what stood around them in the files (text,
  // byte order marks, other certificates beside the key) is gone, so that gRPC finds what was
  // checked.
  std::string pem;
  absl::Time not_after;  // when the first of the chain's certificates expires
};

// INVALID_ARGUMENT: TLS cannot be served as `identity` at `now`; the message says why and repeats
// nothing of the key: not PEM, an encrypted key, a key of another certificate, expired, not valid
// yet, or OpenSSL ends no handshake with it (too weak, also an issuer's; of a kind that cannot
// sign).
absl::StatusOr<CheckedIdentity> CheckIdentity(const TlsIdentity& identity, absl::Time now);

// The certificates in `pem`, as OpenSSL writes them. INVALID_ARGUMENT where there is none, or
// something only looks like one. Expired authorities are let through: a bundle keeps old ones
// beside the new, and TLS itself does not trust them.
absl::StatusOr<std::string> CheckAuthorities(const std::string& pem);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ACCESS_TLS_IDENTITY_H_
