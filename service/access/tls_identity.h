// Whether certificates and keys can be used, before anybody is served with them.
#ifndef PCAP_GATEWAY_SERVICE_ACCESS_TLS_IDENTITY_H_
#define PCAP_GATEWAY_SERVICE_ACCESS_TLS_IDENTITY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace pcap_gateway {

// A certificate with its chain, leaf first, and the leaf's private key. PEM.
struct TlsIdentity {
  std::string certificate_chain;
  std::string private_key;
};

// When the first of the chain's certificates expires. INVALID_ARGUMENT: TLS cannot be served as
// `identity` at `now`; the message says why and repeats nothing of the key: not PEM, an encrypted
// key, a key of another certificate, expired, not valid yet, too weak for OpenSSL.
absl::StatusOr<absl::Time> CheckIdentity(const TlsIdentity& identity, absl::Time now);

// Whether `pem` holds certificates, and nothing that only looks like one. Expired authorities are
// let through: a bundle keeps old ones beside the new, and TLS itself does not trust them.
absl::Status CheckAuthorities(const std::string& pem);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ACCESS_TLS_IDENTITY_H_
