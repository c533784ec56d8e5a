// CertificateHolds: whether a caller's certificate is valid now, cheaply enough for every call.
//
// TLS looks at it in the handshake alone. A connection outlives it, and a session that is resumed
// (RFC 8446, 2.2) renews itself without the certificate being looked at again.
#ifndef PCAP_GATEWAY_SERVICE_ACCESS_CERTIFICATE_VALIDITY_H_
#define PCAP_GATEWAY_SERVICE_ACCESS_CERTIFICATE_VALIDITY_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace pcap_gateway {

// Unix time in seconds, both ends included.
struct CertificateValidity {
  int64_t from = 0;
  int64_t until = 0;
};

// When all certificates of `pem` are valid. At no time, if `pem` has none, or one is unreadable.
CertificateValidity ValidityOf(absl::string_view pem);

// Whether all certificates of `pem` are valid at `now`, Unix time in seconds. Each thread remembers
// what it has read of some dozen texts; then it costs a comparison of the text.
bool CertificateHolds(absl::string_view pem, int64_t now);

}  // namespace pcap_gateway

#endif  // PCAP_GATEWAY_SERVICE_ACCESS_CERTIFICATE_VALIDITY_H_
